//! Counts login attempts, and notes from which addresses they succeeded.

use std::time::Duration;

use guildhall_data::{CommunityId, Tenant, failed};
use guildhall_runtime::{Error, Reason, Result, Timestamp};
use sea_orm::{
    ActiveValue::Set,
    ConnectionTrait, ExprTrait,
    entity::prelude::*,
    sea_query::{CaseStatement, OnConflict},
};

use crate::domain::login_limit::Limit;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "login_attempts")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub community_id: CommunityId,
    /// Keyed hash of what is counted, such as a name and an address, or noted.
    #[sea_orm(primary_key, auto_increment = false)]
    pub subject: Vec<u8>,
    pub attempts: i32,
    /// The end of the window, or of the note, in milliseconds.
    pub expires_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Tenant for Entity {
    const COMMUNITY: Column = Column::CommunityId;
}

impl Model {
    /// Whether the attempts so far are within `limit`.
    ///
    /// # Errors
    /// LOGIN_ATTEMPTS when there were too many, with the time left in the window.
    pub(crate) fn is_within(&self, limit: Limit) -> Result<()> {
        self.check(self.attempts, limit)
    }

    /// Whether `limit` allows another attempt.
    ///
    /// # Errors
    /// LOGIN_ATTEMPTS when it does not, with the time left in the window.
    pub(crate) fn allows_another(&self, limit: Limit) -> Result<()> {
        self.check(self.attempts.saturating_add(1), limit)
    }

    fn check(&self, attempts: i32, limit: Limit) -> Result<()> {
        if attempts <= limit.attempts {
            return Ok(());
        }
        let left = self.expires_at - Timestamp::now().as_millis();
        let left = Duration::from_millis(u64::try_from(left).unwrap_or(0));
        let message = "Too many login attempts, try again later";
        Err(Error::new(Reason::LoginAttempts, message).retry_after(left))
    }
}

/// What is counted or noted of these subjects and has not expired.
pub(crate) async fn list(
    connection: &impl ConnectionTrait,
    community: CommunityId,
    subjects: impl Iterator<Item = &[u8]>,
) -> Result<Vec<Model>> {
    let listed = Entity::within(community)
        .filter(Column::Subject.is_in(subjects.map(<[u8]>::to_vec)))
        .filter(Column::ExpiresAt.gt(Timestamp::now().as_millis()));
    listed.all(connection).await.map_err(failed)
}

/// Counts an attempt, in one statement, so that concurrent attempts all count. Who counts by several
/// subjects does so always in the same order, since each row stays locked.
pub(crate) async fn count(
    transaction: &impl ConnectionTrait,
    community: CommunityId,
    subject: &[u8],
    window: Duration,
) -> Result<Model> {
    let now = Timestamp::now();
    let row = row(community, subject, 1, now.plus(window));
    Entity::insert(row)
        .on_conflict(add_one(now, window))
        .exec_with_returning(transaction)
        .await
        .map_err(failed)
}

/// Takes a counted attempt back.
pub(crate) async fn take_back(
    transaction: &impl ConnectionTrait,
    community: CommunityId,
    subject: &[u8],
) -> Result<()> {
    Entity::changing(community)
        .col_expr(Column::Attempts, Expr::col(Column::Attempts).sub(1))
        .filter(Column::Subject.eq(subject.to_vec()))
        .filter(Column::Attempts.gt(0))
        .exec(transaction)
        .await
        .map_err(failed)?;
    Ok(())
}

/// Notes something for `kept`.
pub(crate) async fn note(
    transaction: &impl ConnectionTrait,
    community: CommunityId,
    subject: &[u8],
    kept: Duration,
) -> Result<()> {
    let row = row(community, subject, 0, Timestamp::now().plus(kept));
    let again = OnConflict::columns([Column::CommunityId, Column::Subject])
        .update_column(Column::ExpiresAt)
        .to_owned();
    let noted = Entity::insert(row).on_conflict(again);
    noted
        .exec_without_returning(transaction)
        .await
        .map_err(failed)?;
    Ok(())
}

fn row(
    community: CommunityId,
    subject: &[u8],
    attempts: i32,
    expires_at: Timestamp,
) -> ActiveModel {
    ActiveModel {
        community_id: Set(community),
        subject: Set(subject.to_vec()),
        attempts: Set(attempts),
        expires_at: Set(expires_at.as_millis()),
    }
}

/// Adds one, or begins a new window when the last one is over.
fn add_one(now: Timestamp, window: Duration) -> OnConflict {
    let stored = |column| Expr::col((Entity, column));
    let over = || stored(Column::ExpiresAt).lte(now.as_millis());
    let attempts = CaseStatement::new()
        .case(over(), 1)
        .finally(stored(Column::Attempts).add(1));
    let expires_at = CaseStatement::new()
        .case(over(), now.plus(window).as_millis())
        .finally(stored(Column::ExpiresAt));
    OnConflict::columns([Column::CommunityId, Column::Subject])
        .value(Column::Attempts, attempts)
        .value(Column::ExpiresAt, expires_at)
        .to_owned()
}

/// Forgets all attempts of a subject.
pub(crate) async fn remove(
    transaction: &impl ConnectionTrait,
    community: CommunityId,
    subject: &[u8],
) -> Result<()> {
    Entity::removing(community)
        .filter(Column::Subject.eq(subject.to_vec()))
        .exec(transaction)
        .await
        .map_err(failed)?;
    Ok(())
}
