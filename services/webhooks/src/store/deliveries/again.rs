//! What is queued once more.

use guildhall_data::{CommunityId, DeliveryId, Tenant, WebhookId, failed};
use guildhall_runtime::{Error, Reason, Result, Timestamp};
use sea_orm::{
    ConnectionTrait, ExprTrait, QueryOrder, QuerySelect, Select,
    entity::prelude::*,
    sea_query::{LockBehavior, LockType},
};

use super::{Column, Entity, Model, Status, not_found, one};

/// Deliveries that are recovered at once at most.
pub const RECOVERED: u64 = 10_000;

/// Queues a delivery again, at once.
///
/// # Errors
/// DELIVERY_NOT_FOUND, WRONG_STATE while an attempt is running.
pub async fn queue_one(
    transaction: &impl ConnectionTrait,
    community: CommunityId,
    webhook: WebhookId,
    id: DeliveryId,
) -> Result<Model> {
    let held = one(community, webhook, id).lock_exclusive();
    let held = held.one(transaction).await.map_err(failed)?;
    let mut delivery = held.ok_or_else(not_found)?;
    let now = Timestamp::now().as_millis();
    if delivery.claimed_until.is_some_and(|until| until > now) {
        let message = "An attempt is running, try again later";
        return Err(Error::new(Reason::WrongState, message));
    }
    delivery.status = Status::Pending;
    delivery.next_attempt_at = Some(now);
    delivery.claimed_until = None;
    Entity::update_one(transaction, &delivery).await?;
    Ok(delivery)
}

/// Queues those deliveries of a webhook again that were queued since a moment and failed, for good or until
/// a later attempt; the oldest first and at most [`RECOVERED`]. How many.
///
/// # Errors
/// When a statement fails: roll back.
pub async fn queue_failed(
    transaction: &impl ConnectionTrait,
    community: CommunityId,
    webhook: WebhookId,
    since: Timestamp,
) -> Result<u64> {
    let now = Timestamp::now().as_millis();
    let mut found: Vec<DeliveryId> = Vec::new();
    for status in [Status::Failed, Status::Pending] {
        let more = oldest(community, webhook, since, status)
            // What is due, or attempted just now, is on its way; only what has failed waits.
            .filter(
                Column::NextAttemptAt
                    .is_null()
                    .or(Column::NextAttemptAt.gt(now)),
            )
            .filter(
                Column::ClaimedUntil
                    .is_null()
                    .or(Column::ClaimedUntil.lte(now)),
            )
            .limit(RECOVERED - found.len() as u64)
            .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
            .into_tuple::<DeliveryId>()
            .all(transaction);
        found.extend(more.await.map_err(failed)?);
    }
    for some in found.chunks(super::ROWS) {
        Entity::changing(community)
            .col_expr(Column::Status, Expr::val(Status::Pending))
            .col_expr(Column::NextAttemptAt, Expr::val(now))
            .col_expr(Column::ClaimedUntil, Expr::val(None::<i64>))
            .filter(Column::WebhookId.eq(webhook))
            .filter(Column::Id.is_in(some.iter().copied()))
            .exec(transaction)
            .await
            .map_err(failed)?;
    }
    Ok(found.len() as u64)
}

/// Ids begin with the moment, so what is older is not read.
fn oldest(
    community: CommunityId,
    webhook: WebhookId,
    since: Timestamp,
    status: Status,
) -> Select<Entity> {
    let first = format!("{:012x}{:012x}", since.as_millis(), 0);
    Entity::within(community)
        .select_only()
        .column(Column::Id)
        .filter(Column::WebhookId.eq(webhook))
        .filter(Column::Status.eq(status))
        .filter(Column::Id.gte(first))
        .filter(Column::CreatedAt.gte(since.as_millis()))
        .order_by_asc(Column::Id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::plan;

    #[tokio::test]
    async fn what_failed_is_found_along_its_index() {
        let (community, webhook) = (CommunityId::generate(), WebhookId::generate());
        for status in [Status::Failed, Status::Pending] {
            let query = oldest(community, webhook, Timestamp::now(), status);
            plan::assert_runs_along("deliveries_by_status", query.limit(RECOVERED)).await;
        }
    }
}
