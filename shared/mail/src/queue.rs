//! The table of e-mails.
//!
//! An e-mail is written in the transaction of its cause, so neither exists without the other. Any
//! number of mailers may send from one table: who claims an e-mail moves its next attempt to the end
//! of their lease, which another one finds moved. What is done keeps no text, and goes after a week.

use std::time::Duration;

use guildhall_data::{CommunityId, Database, MailId, Tenant, failed};
use guildhall_runtime::{Result, Timestamp};
use sea_orm::{
    ActiveValue::{NotSet, Set},
    Condition, ConnectionTrait, IntoActiveModel, QueryOrder, QuerySelect,
    entity::prelude::*,
};

use crate::{
    email::{Email, NewMail, Recipient, Subject, Text},
    failure::Failure,
};

/// How far an e-mail has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "i16", db_type = "SmallInteger")]
pub enum Status {
    /// It is to be sent, for the first time or again.
    #[sea_orm(num_value = 1)]
    Waiting,
    /// The server has taken it.
    #[sea_orm(num_value = 2)]
    Sent,
    /// It was refused, or tried often enough.
    #[sea_orm(num_value = 3)]
    GivenUp,
}

/// An e-mail.
#[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "mails")]
pub struct Model {
    /// The community in whose name it is written.
    #[sea_orm(primary_key, auto_increment = false)]
    pub community_id: CommunityId,
    /// The e-mail.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: MailId,
    /// Who gets it.
    pub recipient: String,
    /// What it is about.
    pub subject: String,
    /// What it says, while it waits.
    pub text: String,
    /// How far it has come.
    pub status: Status,
    /// How often somebody began to send it.
    pub attempts: i32,
    /// Why the last attempt failed.
    pub last_error: Option<String>,
    /// When it was queued, in milliseconds.
    pub created_at: i64,
    /// When it is due, in milliseconds; under way, when somebody else may try. None when done.
    pub next_attempt_at: Option<i64>,
    /// When it was sent or given up, in milliseconds.
    pub done_at: Option<i64>,
}

impl std::fmt::Debug for Model {
    /// Neither the text nor the recipient.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Model")
            .field("community_id", &self.community_id)
            .field("id", &self.id)
            .field("status", &self.status)
            .field("attempts", &self.attempts)
            .finish_non_exhaustive()
    }
}

/// Its relations: none, rows stand alone.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Tenant for Entity {
    const COMMUNITY: Column = Column::CommunityId;
}

impl Model {
    /// The e-mail of this row.
    ///
    /// # Errors
    /// When a part of it is not what was once queued.
    pub(crate) fn email(&self) -> Result<Email> {
        Ok(Email {
            id: self.id,
            to: Recipient::parse(&self.recipient)?,
            subject: Subject::parse(&*self.subject)?,
            text: Text::parse(&*self.text)?,
            written_at: Timestamp::from_millis(self.created_at),
        })
    }
}

/// Writes an e-mail in the transaction of its cause. After the commit,
/// [`Mailer::wake`](crate::Mailer::wake) has it sent at once.
///
/// # Errors
/// When the statement fails: roll back.
pub async fn queue(transaction: &impl ConnectionTrait, mail: NewMail) -> Result<()> {
    let now = Timestamp::now().as_millis();
    let row = Model {
        community_id: mail.community,
        id: MailId::generate(),
        recipient: mail.to.as_str().to_owned(),
        subject: mail.subject.as_str().to_owned(),
        text: mail.text.as_str().to_owned(),
        status: Status::Waiting,
        attempts: 0,
        last_error: None,
        created_at: now,
        next_attempt_at: Some(now),
        done_at: None,
    };
    Entity::insert(row.into_active_model())
        .exec_without_returning(transaction)
        .await
        .map_err(failed)?;
    Ok(())
}

/// Claims up to `limit` e-mails that are due, for the length of `lease`.
///
/// # Errors
/// When the database fails; what was claimed all the same is due again after the lease.
pub(crate) async fn claim(database: &Database, lease: Duration, limit: u64) -> Result<Vec<Model>> {
    let due = due(database, limit).await?;
    if due.is_empty() {
        return Ok(due);
    }
    let transaction = database.begin().await?;
    let until = Timestamp::now().plus(lease).as_millis();
    let mut claimed = Vec::with_capacity(due.len());
    for mail in due {
        let updated = Entity::changing(mail.community_id)
            .col_expr(Column::NextAttemptAt, Expr::value(until))
            .col_expr(Column::Attempts, Expr::value(mail.attempts + 1))
            .filter(this(&mail))
            // Whoever was faster has moved it.
            .filter(Column::NextAttemptAt.eq(mail.next_attempt_at))
            .exec(&transaction)
            .await
            .map_err(failed)?;
        if updated.rows_affected == 1 {
            claimed.push(Model {
                attempts: mail.attempts + 1,
                next_attempt_at: Some(until),
                ..mail
            });
        }
    }
    Database::commit(transaction).await?;
    Ok(claimed)
}

/// The e-mails that are due, the longest first: an order in which two mailers never wait for each
/// other in a circle.
#[expect(
    clippy::disallowed_methods,
    reason = "a mailer sends for all communities"
)]
async fn due(database: &Database, limit: u64) -> Result<Vec<Model>> {
    Entity::find()
        .filter(Column::NextAttemptAt.lte(Timestamp::now().as_millis()))
        .order_by_asc(Column::NextAttemptAt)
        .order_by_asc(Column::CommunityId)
        .order_by_asc(Column::Id)
        .limit(limit)
        .all(database.reader())
        .await
        .map_err(failed)
}

/// How an attempt ended.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The e-mail was taken.
    Sent,
    /// It is tried again then.
    Retry(Timestamp, Failure),
    /// It is not tried again.
    GivenUp(Failure),
}

/// Notes how the attempt for a claimed e-mail ended.
///
/// # Errors
/// When the database fails.
pub(crate) async fn settle(database: &Database, mail: &Model, outcome: &Outcome) -> Result<()> {
    let held = match outcome {
        // True whoever has claimed it since.
        Outcome::Sent => Column::Status.eq(Status::Waiting),
        Outcome::Retry(..) | Outcome::GivenUp(_) => Column::NextAttemptAt.eq(mail.next_attempt_at),
    };
    let change = match outcome {
        Outcome::Sent => done(Status::Sent, None),
        Outcome::GivenUp(failure) => done(Status::GivenUp, Some(failure.to_string())),
        Outcome::Retry(at, failure) => ActiveModel {
            next_attempt_at: Set(Some(at.as_millis())),
            last_error: Set(Some(failure.to_string())),
            ..Default::default()
        },
    };
    let transaction = database.begin().await?;
    Entity::changing(mail.community_id)
        .set(change)
        .filter(this(mail))
        .filter(held)
        .exec(&transaction)
        .await
        .map_err(failed)?;
    Database::commit(transaction).await
}

/// The text goes at once: it may hold a code or a password.
fn done(status: Status, error: Option<String>) -> ActiveModel {
    ActiveModel {
        status: Set(status),
        text: Set(String::new()),
        last_error: error.map_or(NotSet, |error| Set(Some(error))),
        next_attempt_at: Set(None),
        done_at: Set(Some(Timestamp::now().as_millis())),
        ..Default::default()
    }
}

fn this(mail: &Model) -> Condition {
    Condition::all()
        .add(Column::CommunityId.eq(mail.community_id))
        .add(Column::Id.eq(mail.id))
}

#[cfg(test)]
mod tests;
