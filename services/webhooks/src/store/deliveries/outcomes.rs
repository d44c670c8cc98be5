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

use super::{Column, Entity, Status};
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
        for (alike, durations) in alike(outcomes) {
            for durations in durations.chunks(ROWS) {
                store(&transaction, &alike, durations).await?;
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

/// All of an outcome but the delivery and how long it took: under load many have the same.
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

/// The deliveries whose outcomes are alike, with how long each took.
fn alike(outcomes: &[Outcome]) -> HashMap<Alike<'_>, Vec<(DeliveryId, i64)>> {
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
        let took = (outcome.id, outcome.duration_ms);
        groups.entry(alike).or_default().push(took);
    }
    groups
}

/// Stores outcomes that are alike, but for deliveries that somebody else has by now.
async fn store(
    transaction: &Transaction,
    alike: &Alike<'_>,
    durations: &[(DeliveryId, i64)],
) -> Result<()> {
    let took = |case: CaseStatement, (id, millis): &(DeliveryId, i64)| {
        case.case(Column::Id.eq(*id), Expr::val(*millis))
    };
    let took = durations.iter().fold(CaseStatement::new(), took);
    let body = alike.response_body.map(<[u8]>::to_vec);
    Entity::changing(alike.community)
        .col_expr(Column::Attempts, Expr::val(alike.attempts))
        .col_expr(Column::Status, Expr::val(alike.status))
        .col_expr(Column::ResponseStatus, Expr::val(alike.response_status))
        .col_expr(Column::ResponseBody, Expr::val(body))
        .col_expr(Column::Error, Expr::val(alike.error.map(str::to_owned)))
        .col_expr(Column::DurationMs, took.into())
        .col_expr(Column::NextAttemptAt, Expr::val(alike.next_attempt_at))
        .col_expr(Column::ClaimedUntil, Expr::val(None::<i64>))
        .filter(Column::WebhookId.eq(alike.webhook))
        .filter(Column::Id.is_in(durations.iter().map(|(id, _)| *id)))
        .filter(Column::ClaimedUntil.eq(alike.claimed_until))
        .exec(transaction)
        .await
        .map_err(failed)?;
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
