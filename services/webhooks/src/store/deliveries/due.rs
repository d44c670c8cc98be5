//! What is to be attempted, and by whom.
//!
//! Whoever attempts a delivery claims it for a while: its next attempt is put off to the end of the
//! claim. So a process that dies loses nothing, and nobody else attempts it meanwhile.

use std::time::Duration;

use guildhall_data::{CommunityId, Database, DeliveryId, Tenant, WebhookId, failed};
use guildhall_runtime::{Result, Timestamp};
use sea_orm::{
    Condition, ConnectionTrait, QueryOrder, QuerySelect, Select, Statement,
    entity::prelude::*,
    sea_query::{LockBehavior, LockType},
};

use super::{Column, Entity, Model, Status};

/// Webhooks that one look finds at most.
const WEBHOOKS: i64 = 10_000;
/// Deliveries that are given up in one step.
const STEP: u64 = 500;
/// Why a delivery is given up whose webhook is off.
const DISABLED: &str = "the webhook is disabled";

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

/// Claims what is due for a webhook, at most `limit`, for as long as `lease`.
///
/// # Errors
/// When the database fails; what was claimed all the same is due again when the claim ends.
pub async fn claim(
    database: &Database,
    community: CommunityId,
    webhook: WebhookId,
    limit: usize,
    lease: Duration,
) -> Result<Vec<Model>> {
    let now = Timestamp::now();
    let due = due(community, webhook, now).limit(limit as u64);
    // A look costs nobody his turn to write.
    let glance = due.clone().select_only().column(Column::Id).limit(1);
    let glance = glance.into_tuple::<DeliveryId>().one(database.reader());
    if glance.await.map_err(failed)?.is_none() {
        return Ok(Vec::new());
    }
    let until = now.plus(lease).as_millis();
    let transaction = database.begin().await?;
    let due = due.lock_with_behavior(LockType::Update, LockBehavior::SkipLocked);
    let mut claimed = due.all(&transaction).await.map_err(failed)?;
    Entity::update_many()
        .col_expr(Column::NextAttemptAt, Expr::val(until))
        .col_expr(Column::ClaimedUntil, Expr::val(until))
        .filter(Column::CommunityId.eq(community))
        .filter(Column::WebhookId.eq(webhook))
        .filter(Column::Id.is_in(claimed.iter().map(|delivery| delivery.id)))
        .exec(&transaction)
        .await
        .map_err(failed)?;
    Database::commit(transaction).await?;
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
    Entity::update_many()
        .col_expr(Column::NextAttemptAt, Expr::val(now))
        .col_expr(Column::ClaimedUntil, Expr::val(None::<i64>))
        .filter(Column::CommunityId.eq(first.community_id))
        .filter(Column::WebhookId.eq(first.webhook_id))
        .filter(Column::Id.is_in(claimed.iter().map(|delivery| delivery.id)))
        // Not what somebody else claimed since.
        .filter(Column::ClaimedUntil.is_in(claimed.iter().map(|delivery| delivery.claimed_until)))
        .exec(&transaction)
        .await
        .map_err(failed)?;
    Database::commit(transaction).await
}

/// Gives up some of what waits for a webhook that is off or gone; whether there may be more.
///
/// # Errors
/// When the database fails.
pub async fn give_up(
    database: &Database,
    community: CommunityId,
    webhook: WebhookId,
) -> Result<bool> {
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
    Entity::update_many()
        .col_expr(Column::Status, Expr::val(Status::Failed))
        .col_expr(Column::Error, Expr::val(DISABLED))
        .col_expr(Column::NextAttemptAt, Expr::val(None::<i64>))
        .col_expr(Column::ClaimedUntil, Expr::val(None::<i64>))
        .filter(Column::CommunityId.eq(community))
        .filter(Column::WebhookId.eq(webhook))
        .filter(Column::Id.is_in(waiting))
        .exec(&transaction)
        .await
        .map_err(failed)?;
    Database::commit(transaction).await?;
    Ok(found == STEP)
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
