//! The deliveries of a webhook as admins are shown them, newest first. Ids begin with the moment,
//! so the list runs along the key, or along the index by status.

use guildhall_data::{CommunityId, DeliveryId, Page, PageRequest, Tenant, WebhookId, failed, page};
use guildhall_runtime::Result;
use sea_orm::{ConnectionTrait, FromQueryResult, Order, QuerySelect, Select, entity::prelude::*};

use super::{Column, Entity, Status};
use crate::domain::EventKind;

/// Deliveries are counted up to this.
pub const COUNTED: u64 = 10_000;

/// A delivery without what was sent and answered.
#[derive(Debug, Clone, PartialEq, Eq, FromQueryResult)]
pub struct Summary {
    /// The delivery.
    pub id: DeliveryId,
    /// `event_id` of the payload, a UUID.
    pub event_id: String,
    /// What it tells of.
    pub event: EventKind,
    /// Attempts so far.
    pub attempts: i32,
    /// How it stands.
    pub status: Status,
    /// Status of the last answer.
    pub response_status: Option<i32>,
    /// Why the last attempt failed.
    pub error: Option<String>,
    /// How long it took, in milliseconds.
    pub duration_ms: Option<i64>,
    /// When it is attempted next, in milliseconds.
    pub next_attempt_at: Option<i64>,
    /// Until when somebody has it to attempt it, in milliseconds.
    pub claimed_until: Option<i64>,
    /// When it was queued, in milliseconds.
    pub created_at: i64,
}

impl From<super::Model> for Summary {
    fn from(delivery: super::Model) -> Self {
        Self {
            id: delivery.id,
            event_id: delivery.event_id,
            event: delivery.event,
            attempts: delivery.attempts,
            status: delivery.status,
            response_status: delivery.response_status,
            error: delivery.error,
            duration_ms: delivery.duration_ms,
            next_attempt_at: delivery.next_attempt_at,
            claimed_until: delivery.claimed_until,
            created_at: delivery.created_at,
        }
    }
}

/// Which deliveries a list holds.
#[derive(Debug, Clone, Copy)]
pub struct Filter {
    /// The webhook.
    pub webhook: WebhookId,
    /// Only of this kind.
    pub kind: Option<EventKind>,
    /// Only those that stand so.
    pub status: Option<Status>,
}

/// A part of a list, newest first.
///
/// # Errors
/// When the query fails.
pub async fn list(
    connection: &impl ConnectionTrait,
    community: CommunityId,
    filter: Filter,
    page: &PageRequest<DeliveryId>,
) -> Result<Page<Summary>> {
    let query = newest(community, filter, page).into_model::<Summary>();
    let rows = query.all(connection).await.map_err(failed)?;
    Ok(page.cut(rows, |delivery| delivery.id))
}

/// How many there are, counted up to [`COUNTED`].
///
/// # Errors
/// When the query fails.
pub async fn count(
    connection: &impl ConnectionTrait,
    community: CommunityId,
    filter: Filter,
) -> Result<i32> {
    let query = filtered(community, filter);
    let counted = page::count(connection, query, Column::Id, COUNTED).await?;
    Ok(i32::try_from(counted).unwrap_or(i32::MAX))
}

fn newest(
    community: CommunityId,
    filter: Filter,
    page: &PageRequest<DeliveryId>,
) -> Select<Entity> {
    page.select(filtered(community, filter), &[Column::Id], &Order::Desc)
}

fn filtered(community: CommunityId, filter: Filter) -> Select<Entity> {
    let mut rows = Entity::within(community)
        .select_only()
        .columns([
            Column::Id,
            Column::EventId,
            Column::Event,
            Column::Attempts,
            Column::Status,
            Column::ResponseStatus,
            Column::Error,
            Column::DurationMs,
            Column::NextAttemptAt,
            Column::ClaimedUntil,
            Column::CreatedAt,
        ])
        .filter(Column::WebhookId.eq(filter.webhook));
    if let Some(kind) = filter.kind {
        rows = rows.filter(Column::Event.eq(kind));
    }
    if let Some(status) = filter.status {
        rows = rows.filter(Column::Status.eq(status));
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::plan;

    const LIMITS: page::Limits = page::Limits {
        default_size: 10,
        max_size: 10,
        max_skip: 0,
    };

    #[tokio::test]
    async fn a_list_runs_along_its_index() {
        for (status, index) in [
            (None, "sqlite_autoindex_deliveries_1"),
            (Some(Status::Failed), "deliveries_by_status"),
        ] {
            for kind in [None, Some(EventKind::MessagePosted)] {
                let webhook = WebhookId::generate();
                let filter = Filter {
                    webhook,
                    kind,
                    status,
                };
                let page = PageRequest::parse(LIMITS, 10, "", 0).unwrap();
                let query = newest(CommunityId::generate(), filter, &page);
                plan::assert_runs_along(index, query).await;
            }
        }
    }
}
