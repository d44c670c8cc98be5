//! Counts login attempts (contract: identity, "Rate limits").

use std::time::Duration;

use guildhall_data::{CommunityId, Tenant, failed};
use guildhall_runtime::{Error, Reason, Result, Timestamp};
use sea_orm::{
    ActiveValue::Set,
    ConnectionTrait, ExprTrait,
    entity::prelude::*,
    sea_query::{CaseStatement, OnConflict},
};

/// Attempts allowed in a window.
const MAX: i32 = 20;
/// The length of a window, which begins with its first attempt.
const WINDOW: Duration = Duration::from_secs(15 * 60);

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "login_attempts")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub community_id: CommunityId,
    /// Keyed hash of the account and the client's address.
    #[sea_orm(primary_key, auto_increment = false)]
    pub subject: Vec<u8>,
    pub attempts: i32,
    /// The end of the window, in milliseconds.
    pub expires_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Tenant for Entity {
    const COMMUNITY: Column = Column::CommunityId;
}

/// Counts an attempt, in one statement, so that concurrent attempts all count.
///
/// # Errors
/// LOGIN_ATTEMPTS when there were too many, with the time left in the window.
pub(crate) async fn count(
    transaction: &impl ConnectionTrait,
    community: CommunityId,
    subject: &[u8],
) -> Result<()> {
    let now = Timestamp::now();
    let row = ActiveModel {
        community_id: Set(community),
        subject: Set(subject.to_vec()),
        attempts: Set(1),
        expires_at: Set(now.plus(WINDOW).as_millis()),
    };
    let counted = Entity::insert(row)
        .on_conflict(add_one(now))
        .exec_with_returning(transaction)
        .await
        .map_err(failed)?;
    if counted.attempts <= MAX {
        return Ok(());
    }
    let left = u64::try_from(counted.expires_at - now.as_millis()).unwrap_or(0);
    let refused = Error::new(
        Reason::LoginAttempts,
        "Too many login attempts, try again later",
    );
    Err(refused.retry_after(Duration::from_millis(left)))
}

/// Adds one, or begins a new window when the last one is over.
fn add_one(now: Timestamp) -> OnConflict {
    let stored = |column| Expr::col((Entity, column));
    let over = || stored(Column::ExpiresAt).lte(now.as_millis());
    let attempts = CaseStatement::new()
        .case(over(), 1)
        .finally(stored(Column::Attempts).add(1));
    let expires_at = CaseStatement::new()
        .case(over(), now.plus(WINDOW).as_millis())
        .finally(stored(Column::ExpiresAt));
    OnConflict::columns([Column::CommunityId, Column::Subject])
        .value(Column::Attempts, attempts)
        .value(Column::ExpiresAt, expires_at)
        .to_owned()
}

/// Removes the attempts of a user who gave the right password.
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
