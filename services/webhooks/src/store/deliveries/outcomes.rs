//! What became of attempts, stored in groups: those that end while a commit is under way go
//! together in the next.

use std::collections::BTreeMap;

use async_trait::async_trait;
use guildhall_data::{
    CommunityId, Database, DeliveryId, Tenant, Transaction, WebhookId, failed,
    group_commit::{Batch, Failure},
};
use guildhall_runtime::Result;
use sea_orm::entity::prelude::*;

use super::{Column, Entity, Status};
use crate::store::outgoing;

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
    /// The first KiB of it.
    pub response_body: Option<Vec<u8>>,
    /// Why it failed; at most 255 characters.
    pub error: Option<String>,
    /// How long it took, in milliseconds.
    pub duration_ms: i64,
    /// When it is attempted next, in milliseconds.
    pub next_attempt_at: Option<i64>,
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
        for outcome in outcomes {
            store(&transaction, outcome).await?;
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

/// Stores an outcome, unless somebody else has the delivery by now.
async fn store(transaction: &Transaction, outcome: &Outcome) -> Result<()> {
    let update = Entity::update_many()
        .col_expr(Column::Attempts, Expr::val(outcome.attempts))
        .col_expr(Column::Status, Expr::val(outcome.status))
        .col_expr(Column::ResponseStatus, Expr::val(outcome.response_status))
        .col_expr(
            Column::ResponseBody,
            Expr::val(outcome.response_body.clone()),
        )
        .col_expr(Column::Error, Expr::val(outcome.error.clone()))
        .col_expr(Column::DurationMs, Expr::val(outcome.duration_ms))
        .col_expr(Column::NextAttemptAt, Expr::val(outcome.next_attempt_at))
        .col_expr(Column::ClaimedUntil, Expr::val(None::<i64>))
        .filter(Column::CommunityId.eq(outcome.community))
        .filter(Column::WebhookId.eq(outcome.webhook))
        .filter(Column::Id.eq(outcome.id))
        .filter(Column::ClaimedUntil.eq(outcome.claimed_until));
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
