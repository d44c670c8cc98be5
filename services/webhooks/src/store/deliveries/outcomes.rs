//! What became of attempts, stored in groups: those that end while a commit is under way go
//! together in the next.

use std::collections::{BTreeMap, HashMap};

use async_trait::async_trait;
use guildhall_data::{
    CommunityId, Database, DeliveryId, Tenant, Transaction, WebhookId, failed,
    group_commit::{Batch, Failure},
};
use guildhall_runtime::Result;
use sea_orm::{entity::prelude::*, sea_query::CaseStatement};

use super::{Column, Entity, Status, attempts::EarlierAttempts};
use crate::store::outgoing;

/// Outcomes in one statement at most.
const ROWS: usize = 64;

/// What became of an attempt.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The community.
    pub community: CommunityId,
    /// The webhook.
    pub webhook: WebhookId,
    /// The delivery.
    pub id: DeliveryId,
    /// The claim under which it was made: without it, nothing is stored.
    pub claimed_until: Option<i64>,
    /// Attempts, this one included.
    pub attempts: i32,
    /// How the delivery stands now.
    pub status: Status,
    /// Status of the answer; none when there was none.
    pub response_status: Option<i32>,
    /// The beginning of it.
    pub response_body: Option<Vec<u8>>,
    /// Why it failed; at most 255 characters.
    pub error: Option<String>,
    /// How long it took, in milliseconds.
    pub duration_ms: i64,
    /// When it is attempted next, in milliseconds.
    pub next_attempt_at: Option<i64>,
    /// When it began, in milliseconds.
    pub attempted_at: i64,
    /// The attempts before it; none for the first.
    pub earlier_attempts: Option<EarlierAttempts>,
}

/// Stores outcomes.
#[derive(Debug)]
pub struct Outcomes(Database);

impl Outcomes {
    /// Stores into `database`.
    #[must_use]
    pub fn new(database: Database) -> Self {
        Self(database)
    }

    async fn write(&self, outcomes: &[Outcome]) -> Result<Transaction> {
        let transaction = self.0.begin_batch().await?;
        for (alike, each) in alike(outcomes) {
            for some in each.chunks(ROWS) {
                store(&transaction, &alike, some).await?;
            }
        }
        for ((community, webhook), streak) in streaks(outcomes) {
            if streak.succeeded {
                outgoing::succeeded(&transaction, community, webhook).await?;
            }
            if streak.failures > 0 {
                let failures = streak.failures;
                outgoing::add_failures(&transaction, community, webhook, failures).await?;
            }
        }
        Ok(transaction)
    }
}

#[async_trait]
impl Batch for Outcomes {
    type Item = Outcome;
    type Answer = ();
    const NAME: &'static str = "deliveries";

    async fn prepare(&self) -> Result<()> {
        let transaction = self.0.begin_batch().await?;
        Database::roll_back(transaction).await
    }

    async fn commit(&self, outcomes: &[Outcome]) -> Result<Vec<()>, Failure> {
        let written = self.write(outcomes).await;
        let transaction = written.map_err(Failure::RolledBack)?;
        Database::commit(transaction)
            .await
            .map_err(Failure::Unknown)?;
        Ok(vec![(); outcomes.len()])
    }

    async fn outcomes(&self, outcomes: &[Outcome]) -> Result<Vec<Option<()>>> {
        let mut stored = Vec::with_capacity(outcomes.len());
        for outcome in outcomes {
            let claimed = claimed(outcome).one(self.0.reader()).await;
            stored.push(claimed.map_err(failed)?.is_none().then_some(()));
        }
        Ok(stored)
    }
}

/// What happened to a webhook within a batch.
#[derive(Debug, Default, PartialEq, Eq)]
struct Streak {
    succeeded: bool,
    /// Since the last success.
    failures: i32,
}

/// In the order of the webhooks, so that replicas cannot wait for each other crosswise.
fn streaks(outcomes: &[Outcome]) -> BTreeMap<(CommunityId, WebhookId), Streak> {
    let mut streaks = BTreeMap::<_, Streak>::new();
    for outcome in outcomes {
        let streak = streaks
            .entry((outcome.community, outcome.webhook))
            .or_default();
        match outcome.status {
            Status::Success => {
                *streak = Streak {
                    succeeded: true,
                    failures: 0,
                };
            }
            Status::Pending | Status::Failed => streak.failures += 1,
        }
    }
    streaks
}

/// The delivery as long as the claim holds.
fn claimed(outcome: &Outcome) -> Select<Entity> {
    Entity::within(outcome.community)
        .filter(Column::WebhookId.eq(outcome.webhook))
        .filter(Column::Id.eq(outcome.id))
        .filter(Column::ClaimedUntil.eq(outcome.claimed_until))
}

/// All of an outcome but what each delivery has of its own: under load many have the same.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Alike<'a> {
    community: CommunityId,
    webhook: WebhookId,
    claimed_until: Option<i64>,
    attempts: i32,
    status: Status,
    response_status: Option<i32>,
    response_body: Option<&'a [u8]>,
    error: Option<&'a str>,
    next_attempt_at: Option<i64>,
}

/// The outcomes that are alike.
fn alike(outcomes: &[Outcome]) -> HashMap<Alike<'_>, Vec<&Outcome>> {
    let mut groups = HashMap::<_, Vec<_>>::new();
    for outcome in outcomes {
        let alike = Alike {
            community: outcome.community,
            webhook: outcome.webhook,
            claimed_until: outcome.claimed_until,
            attempts: outcome.attempts,
            status: outcome.status,
            response_status: outcome.response_status,
            response_body: outcome.response_body.as_deref(),
            error: outcome.error.as_deref(),
            next_attempt_at: outcome.next_attempt_at,
        };
        groups.entry(alike).or_default().push(outcome);
    }
    groups
}

/// A value of its own for each delivery.
fn by_delivery<V: Into<Value>>(outcomes: &[&Outcome], value: impl Fn(&Outcome) -> V) -> Expr {
    let case = |case: CaseStatement, outcome: &&Outcome| {
        case.case(Column::Id.eq(outcome.id), Expr::val(value(outcome)))
    };
    outcomes.iter().fold(CaseStatement::new(), case).into()
}

/// Stores outcomes that are alike, but for deliveries that somebody else has by now.
async fn store(transaction: &Transaction, alike: &Alike<'_>, outcomes: &[&Outcome]) -> Result<()> {
    let body = alike.response_body.map(<[u8]>::to_vec);
    let mut update = Entity::changing(alike.community)
        .col_expr(Column::Attempts, Expr::val(alike.attempts))
        .col_expr(Column::Status, Expr::val(alike.status))
        .col_expr(Column::ResponseStatus, Expr::val(alike.response_status))
        .col_expr(Column::ResponseBody, Expr::val(body))
        .col_expr(Column::Error, Expr::val(alike.error.map(str::to_owned)))
        .col_expr(Column::AttemptError, Expr::val(None::<String>))
        .col_expr(
            Column::DurationMs,
            by_delivery(outcomes, |it| it.duration_ms),
        )
        .col_expr(
            Column::AttemptedAt,
            by_delivery(outcomes, |it| it.attempted_at),
        )
        .col_expr(Column::NextAttemptAt, Expr::val(alike.next_attempt_at))
        .col_expr(Column::ClaimedUntil, Expr::val(None::<i64>))
        .filter(Column::WebhookId.eq(alike.webhook))
        .filter(Column::Id.is_in(outcomes.iter().map(|outcome| outcome.id)))
        .filter(Column::ClaimedUntil.eq(alike.claimed_until));
    // After a first attempt there is nothing to keep, and most are the only one.
    if outcomes.iter().any(|it| it.earlier_attempts.is_some()) {
        let earlier = by_delivery(outcomes, |it| it.earlier_attempts.clone());
        update = update.col_expr(Column::EarlierAttempts, earlier);
    }
    update.exec(transaction).await.map_err(failed)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_streak_counts_what_failed_since_the_last_success() {
        let outcome = |status| Outcome {
            community: "c00000000000000000000001".parse().unwrap(),
            webhook: "d00000000000000000000001".parse().unwrap(),
            id: DeliveryId::generate(),
            claimed_until: None,
            attempts: 1,
            status,
            response_status: None,
            response_body: None,
            error: None,
            duration_ms: 0,
            next_attempt_at: None,
            attempted_at: 0,
            earlier_attempts: None,
        };
        let of = |statuses: &[Status]| {
            let outcomes: Vec<_> = statuses.iter().map(|status| outcome(*status)).collect();
            let streak = streaks(&outcomes).into_values().next().unwrap();
            (streak.succeeded, streak.failures)
        };
        use Status::{Failed, Pending, Success};
        assert_eq!(of(&[Success]), (true, 0));
        assert_eq!(of(&[Pending, Failed]), (false, 2));
        assert_eq!(of(&[Failed, Success, Pending]), (true, 1));
    }
}
