//! What is to be attempted, and by whom.
//!
//! Whoever attempts a delivery claims it for a while: its next attempt is put off to the end of the
//! claim. So a process that dies loses nothing, and nobody else attempts it meanwhile.

use std::time::Duration;

use async_trait::async_trait;
use guildhall_data::{
    CommunityId, Database, DeliveryId, Tenant, Transaction, WebhookId, failed,
    group_commit::{Batch, Failure},
};
use guildhall_runtime::{Result, Timestamp};
use sea_orm::{
    Condition, ConnectionTrait, ExprTrait, QueryOrder, QuerySelect, Select, Statement,
    entity::prelude::*,
    sea_query::{LockBehavior, LockType},
};

use super::{Column, Entity, Model, Status};

/// Webhooks that one look finds at most.
const WEBHOOKS: i64 = 10_000;
/// Deliveries that are given up in one step.
pub const STEP: u64 = 500;
/// Why a delivery is given up whose webhook is off.
pub const DISABLED: &str = "the webhook is disabled";

/// The webhooks for which something is due: from one to the next along the index, and a glance at
/// the head of each, however much waits.
const DUE: &str = "
WITH RECURSIVE waiting(pair) AS (
    SELECT (
        SELECT community_id || webhook_id FROM deliveries
        WHERE next_attempt_at IS NOT NULL
        ORDER BY community_id, webhook_id LIMIT 1
    )
    UNION ALL
    SELECT (
        SELECT community_id || webhook_id FROM deliveries
        WHERE next_attempt_at IS NOT NULL
        AND (community_id, webhook_id) > (substr(waiting.pair, 1, 24), substr(waiting.pair, 25))
        ORDER BY community_id, webhook_id LIMIT 1
    ) FROM waiting WHERE waiting.pair IS NOT NULL
)
SELECT substr(pair, 1, 24), substr(pair, 25) FROM waiting
WHERE pair IS NOT NULL AND (
    SELECT next_attempt_at FROM deliveries
    WHERE community_id = substr(pair, 1, 24) AND webhook_id = substr(pair, 25)
    AND next_attempt_at IS NOT NULL
    ORDER BY next_attempt_at LIMIT 1
) <= $1
LIMIT $2";

/// The webhooks for which something is due, enabled or not.
///
/// # Errors
/// When the query fails.
pub async fn webhooks(connection: &impl ConnectionTrait) -> Result<Vec<(CommunityId, WebhookId)>> {
    let values = [Timestamp::now().as_millis().into(), WEBHOOKS.into()];
    let backend = connection.get_database_backend();
    let statement = Statement::from_sql_and_values(backend, DUE, values);
    let rows = connection.query_all_raw(statement).await.map_err(failed)?;
    rows.iter()
        .map(|row| Ok((row.try_get_by_index(0)?, row.try_get_by_index(1)?)))
        .collect::<Result<_, DbErr>>()
        .map_err(failed)
}

/// What is due for a webhook, longest first.
fn due(community: CommunityId, webhook: WebhookId, now: Timestamp) -> Select<Entity> {
    Entity::within(community)
        .filter(Column::WebhookId.eq(webhook))
        .filter(Column::NextAttemptAt.lte(now.as_millis()))
        .order_by_asc(Column::NextAttemptAt)
}

/// Whether anything is due for a webhook: reading needs no write lock.
///
/// # Errors
/// When the query fails.
pub async fn is_due(
    connection: &impl ConnectionTrait,
    community: CommunityId,
    webhook: WebhookId,
) -> Result<bool> {
    let glance = due(community, webhook, Timestamp::now())
        .select_only()
        .column(Column::Id)
        .limit(1)
        .into_tuple::<DeliveryId>();
    let found = glance.one(connection).await.map_err(failed)?;
    Ok(found.is_some())
}

/// What somebody wants to attempt.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    /// The community.
    pub community: CommunityId,
    /// The webhook.
    pub webhook: WebhookId,
    /// Deliveries at most.
    pub limit: usize,
    /// For how long.
    pub lease: Duration,
}

/// Claims what is due, for many webhooks in one transaction; the answers are what was claimed,
/// longest due first.
#[derive(Debug)]
pub struct Claims(Database);

impl Claims {
    /// Claims in `database`.
    #[must_use]
    pub fn new(database: Database) -> Self {
        Self(database)
    }

    async fn write(&self, wanted: &[Wanted]) -> Result<(Transaction, Vec<Vec<Model>>)> {
        let transaction = self.0.begin_batch().await?;
        let mut claimed = Vec::with_capacity(wanted.len());
        for wanted in wanted {
            claimed.push(claim(&transaction, wanted).await?);
        }
        Ok((transaction, claimed))
    }
}

#[async_trait]
impl Batch for Claims {
    type Item = Wanted;
    type Answer = Vec<Model>;
    const NAME: &'static str = "claims";

    async fn prepare(&self) -> Result<()> {
        let transaction = self.0.begin_batch().await?;
        Database::roll_back(transaction).await
    }

    async fn commit(&self, wanted: &[Wanted]) -> Result<Vec<Vec<Model>>, Failure> {
        let written = self.write(wanted).await;
        let (transaction, claimed) = written.map_err(Failure::RolledBack)?;
        let committed = Database::commit(transaction).await;
        committed.map(|()| claimed).map_err(Failure::Unknown)
    }

    /// What was claimed all the same is due again when the claim ends.
    async fn outcomes(&self, wanted: &[Wanted]) -> Result<Vec<Option<Vec<Model>>>> {
        Ok(wanted.iter().map(|_| None).collect())
    }
}

async fn claim(transaction: &Transaction, wanted: &Wanted) -> Result<Vec<Model>> {
    let now = Timestamp::now();
    let mut claimed = due(wanted.community, wanted.webhook, now)
        .limit(wanted.limit as u64)
        .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
        .all(transaction)
        .await
        .map_err(failed)?;
    let until = now.plus(wanted.lease).as_millis();
    Entity::changing(wanted.community)
        .col_expr(Column::NextAttemptAt, Expr::val(until))
        .col_expr(Column::ClaimedUntil, Expr::val(until))
        .filter(Column::WebhookId.eq(wanted.webhook))
        .filter(Column::Id.is_in(claimed.iter().map(|delivery| delivery.id)))
        .exec(transaction)
        .await
        .map_err(failed)?;
    for delivery in &mut claimed {
        delivery.claimed_until = Some(until);
    }
    Ok(claimed)
}

/// Gives claims back that were not used: what was claimed is due at once. All are of one webhook and
/// of one claim or more.
///
/// # Errors
/// When the database fails; they are due again when the claims end.
pub async fn give_back(database: &Database, claimed: Vec<Model>) -> Result<()> {
    let Some(first) = claimed.first() else {
        return Ok(());
    };
    let now = Timestamp::now().as_millis();
    let transaction = database.begin().await?;
    Entity::changing(first.community_id)
        .col_expr(Column::NextAttemptAt, Expr::val(now))
        .col_expr(Column::ClaimedUntil, Expr::val(None::<i64>))
        .filter(Column::WebhookId.eq(first.webhook_id))
        .filter(Column::Id.is_in(claimed.iter().map(|delivery| delivery.id)))
        // Not what somebody else claimed since.
        .filter(Column::ClaimedUntil.is_in(claimed.iter().map(|delivery| delivery.claimed_until)))
        .exec(&transaction)
        .await
        .map_err(failed)?;
    Database::commit(transaction).await
}

/// Gives up some of what waits for a webhook to which nothing can be delivered, and records the
/// reason, of at most 255 characters. How many; if fewer than [`STEP`], there are no more.
///
/// # Errors
/// When the database fails.
pub async fn give_up(
    database: &Database,
    community: CommunityId,
    webhook: WebhookId,
    reason: &str,
) -> Result<u64> {
    let now = Timestamp::now().as_millis();
    let unclaimed = Condition::any()
        .add(Column::ClaimedUntil.is_null())
        .add(Column::ClaimedUntil.lte(now));
    let transaction = database.begin().await?;
    let waiting: Vec<DeliveryId> = Entity::within(community)
        .select_only()
        .column(Column::Id)
        .filter(Column::WebhookId.eq(webhook))
        .filter(Column::NextAttemptAt.is_not_null())
        .filter(unclaimed)
        .order_by_asc(Column::NextAttemptAt)
        .limit(STEP)
        .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
        .into_tuple()
        .all(&transaction)
        .await
        .map_err(failed)?;
    let found = waiting.len() as u64;
    Entity::changing(community)
        .col_expr(Column::Status, Expr::val(Status::Failed))
        // Why its last attempt failed stays known.
        .col_expr(
            Column::AttemptError,
            Expr::col(Column::AttemptError).if_null(Expr::col(Column::Error)),
        )
        .col_expr(Column::Error, Expr::val(reason))
        .col_expr(Column::NextAttemptAt, Expr::val(None::<i64>))
        .col_expr(Column::ClaimedUntil, Expr::val(None::<i64>))
        .filter(Column::WebhookId.eq(webhook))
        .filter(Column::Id.is_in(waiting))
        .exec(&transaction)
        .await
        .map_err(failed)?;
    Database::commit(transaction).await?;
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::plan;

    #[tokio::test]
    async fn what_is_due_is_found_along_its_index() {
        let query = due(
            CommunityId::generate(),
            WebhookId::generate(),
            Timestamp::now(),
        );
        plan::assert_runs_along("deliveries_due", query.limit(10)).await;
    }

    #[tokio::test]
    async fn the_look_for_webhooks_scans_nothing() {
        let values = [0.into(), WEBHOOKS.into()];
        let backend = guildhall_data::Backend::Sqlite.into();
        let statement = Statement::from_sql_and_values(backend, DUE, values);
        for step in plan::of(statement).await {
            let walks = step.contains("SCAN deliveries") && !step.contains("deliveries_due");
            assert!(!walks, "{step}");
        }
    }
}
