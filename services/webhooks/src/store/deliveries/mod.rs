//! Deliveries: events on their way to outgoing webhooks, and what became of them.
//!
//! * [`due`]: what is to be attempted, and by whom
//! * [`attempts`]: what became of attempts before the last one
//! * [`again`]: what is queued once more
//! * [`outcomes`]: what became of attempts, stored in groups
//! * [`listing`]: what admins are shown

pub mod again;
pub mod attempts;
pub mod due;
pub mod listing;
pub mod outcomes;

use std::time::Duration;

use guildhall_data::{CommunityId, DeliveryId, Tenant, WebhookId, failed};
use guildhall_proto::webhooks::v1::DeliveryStatus;
use guildhall_runtime::{Error, Reason, Result, Timestamp};
use guildhall_types::proto_enum;
use sea_orm::{ConnectionTrait, IntoActiveModel, Select, entity::prelude::*};

use self::attempts::EarlierAttempts;
use crate::domain::EventKind;

/// How long deliveries are kept (contract: events, "Delivery").
pub const RETENTION: Duration = Duration::from_secs(30 * 24 * 3600);
/// Rows in one statement at most.
const ROWS: usize = 1000;

/// An event on its way to a webhook.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "deliveries")]
pub struct Model {
    /// The community.
    #[sea_orm(primary_key, auto_increment = false)]
    pub community_id: CommunityId,
    /// The webhook.
    #[sea_orm(primary_key, auto_increment = false)]
    pub webhook_id: WebhookId,
    /// The delivery.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: DeliveryId,
    /// `event_id` of the payload, a UUID.
    pub event_id: String,
    /// What it tells of.
    pub event: EventKind,
    /// When that happened, in milliseconds.
    pub event_time: i64,
    /// The payload, JSON.
    pub body: String,
    /// How it stands.
    pub status: Status,
    /// Attempts so far.
    pub attempts: i32,
    /// Status of the last answer; none when there was none.
    pub response_status: Option<i32>,
    /// The beginning of it.
    pub response_body: Option<Vec<u8>>,
    /// Why the last attempt failed, or why there will be no other.
    pub error: Option<String>,
    /// How long it took, in milliseconds.
    pub duration_ms: Option<i64>,
    /// When it is attempted next, in milliseconds; none when it is not. While it is claimed, the end
    /// of the claim.
    pub next_attempt_at: Option<i64>,
    /// Until when somebody has it to attempt it, in milliseconds.
    pub claimed_until: Option<i64>,
    /// When it was queued, in milliseconds.
    pub created_at: i64,
    /// When the last attempt began, in milliseconds.
    pub attempted_at: Option<i64>,
    /// The attempts before the last one; none after the first.
    pub earlier_attempts: Option<EarlierAttempts>,
    /// Why the last attempt failed, where `error` says why there will be no other.
    pub attempt_error: Option<String>,
}

/// How a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "i16", db_type = "SmallInteger")]
pub enum Status {
    /// An attempt is running, or will be made.
    #[sea_orm(num_value = 1)]
    Pending,
    /// The receiver answered 2xx.
    #[sea_orm(num_value = 2)]
    Success,
    /// Given up.
    #[sea_orm(num_value = 3)]
    Failed,
}

proto_enum!(Status as DeliveryStatus { Pending, Success, Failed });

/// Its relations: none, rows are joined by hand.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Tenant for Entity {
    const COMMUNITY: Column = Column::CommunityId;
}

/// A delivery about to be queued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDelivery {
    /// The community.
    pub community: CommunityId,
    /// The webhook.
    pub webhook: WebhookId,
    /// What it tells of.
    pub kind: EventKind,
    /// `event_id` of the payload, a UUID.
    pub event_id: String,
    /// When that happened.
    pub event_time: Timestamp,
    /// The payload, JSON.
    pub body: String,
}

impl NewDelivery {
    fn into_row(self, now: Timestamp) -> ActiveModel {
        let row = Model {
            community_id: self.community,
            webhook_id: self.webhook,
            id: DeliveryId::generate(),
            event_id: self.event_id,
            event: self.kind,
            event_time: self.event_time.as_millis(),
            body: self.body,
            status: Status::Pending,
            attempts: 0,
            response_status: None,
            response_body: None,
            error: None,
            duration_ms: None,
            next_attempt_at: Some(now.as_millis()),
            claimed_until: None,
            created_at: now.as_millis(),
            attempted_at: None,
            earlier_attempts: None,
            attempt_error: None,
        };
        row.into_active_model()
    }
}

/// Queues deliveries in the transaction of whoever heard of their events. An event that was queued
/// for a webhook before is left as it is.
///
/// # Errors
/// When a statement fails: roll back.
pub async fn queue(transaction: &impl ConnectionTrait, deliveries: Vec<NewDelivery>) -> Result<()> {
    let now = Timestamp::now();
    let mut rows = deliveries
        .into_iter()
        .map(|delivery| delivery.into_row(now));
    loop {
        let some: Vec<_> = rows.by_ref().take(ROWS).collect();
        if some.is_empty() {
            return Ok(());
        }
        Entity::insert_many(some)
            .on_conflict_do_nothing_on([Column::CommunityId, Column::WebhookId, Column::EventId])
            .exec_without_returning(transaction)
            .await
            .map_err(failed)?;
    }
}

/// A delivery of a webhook.
///
/// # Errors
/// DELIVERY_NOT_FOUND.
pub async fn get(
    connection: &impl ConnectionTrait,
    community: CommunityId,
    webhook: WebhookId,
    id: DeliveryId,
) -> Result<Model> {
    let delivery = one(community, webhook, id).one(connection).await;
    delivery.map_err(failed)?.ok_or_else(not_found)
}

fn one(community: CommunityId, webhook: WebhookId, id: DeliveryId) -> Select<Entity> {
    Entity::within(community)
        .filter(Column::WebhookId.eq(webhook))
        .filter(Column::Id.eq(id))
}

fn not_found() -> Error {
    Error::new(Reason::DeliveryNotFound, "Delivery not found.")
}
