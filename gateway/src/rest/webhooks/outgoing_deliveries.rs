//! Deliveries of outgoing webhooks (contract: events, "webhooks-out-deliveries" and on).

use axum::extract::State;
use guildhall_proto::webhooks::v1::{
    Delivery, DeliveryStatus, EventKind, ListDeliveriesRequest, RecoverDeliveriesRequest,
    RedeliverDeliveryRequest,
};
use guildhall_runtime::{Error, Reason, Timestamp};
use guildhall_types::{DeliveryId, WebhookId, id};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::outgoing_event::OutgoingEvent;
use crate::{
    call::{Call, Replayed},
    endpoint::Endpoint,
    envelope::{
        application::{Application, ApplicationPage},
        page::{Page, PageLimit, PageNumber, Paging},
    },
    extract::{Input, Query, Segments},
    failure::{Result, sent},
    moment::{iso, iso_null},
    sample,
    schema::{Moment, ObjectId},
    upstream::OutgoingWebhooks,
};

pub fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::new("webhooks-out-deliveries", list, || {
            page(Page::default().of(1), vec![sample::delivery()])
        })
        .about("The deliveries of an outgoing webhook, newest first; they are kept 30 days.")
        .calls("/guildhall.webhooks.v1.OutgoingWebhookService/ListDeliveries")
        .naming(&[("skip", "page")])
        .refusing(&[Reason::WebhookNotFound]),
        Endpoint::new("webhooks-out-redeliver", redeliver, || {
            queued(sample::delivery())
        })
        .about(
            "Queues a delivery again at once, with the same `webhook-id` and the webhook's present \
                 url and keys.",
        )
        .calls("/guildhall.webhooks.v1.OutgoingWebhookService/RedeliverDelivery")
        .refusing(&[
            Reason::WebhookNotFound,
            Reason::DeliveryNotFound,
            Reason::WrongState,
        ]),
        Endpoint::taking("webhooks-out-recover", recover, Recovery::example, || {
            recovered(3)
        })
        .about(
            "Queues all deliveries again at once that were queued since a moment and failed, for good \
             or until their next attempt: at most 10,000, the oldest first. Call it again until it \
             answers 0.",
        )
        .calls("/guildhall.webhooks.v1.OutgoingWebhookService/RecoverDeliveries")
        .refusing(&[Reason::WebhookNotFound, Reason::WrongState]),
    ]
}

fn page(paging: Paging, deliveries: Vec<Delivery>) -> ApplicationPage<DeliveryRecord> {
    let records = deliveries.into_iter().map(DeliveryRecord::from);
    ApplicationPage::read("deliveries", paging, records)
}

fn queued(delivery: Delivery) -> Application<DeliveryRecord> {
    Application::accepted("Redeliver success.", delivery.into())
}

/// The state of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Status {
    /// An attempt is running, or will be made.
    Pending,
    Success,
    /// Given up.
    Failed,
}

impl From<Status> for DeliveryStatus {
    fn from(status: Status) -> Self {
        match status {
            Status::Pending => Self::Pending,
            Status::Success => Self::Success,
            Status::Failed => Self::Failed,
        }
    }
}

impl From<DeliveryStatus> for Status {
    fn from(status: DeliveryStatus) -> Self {
        match status {
            DeliveryStatus::Unspecified | DeliveryStatus::Pending => Self::Pending,
            DeliveryStatus::Success => Self::Success,
            DeliveryStatus::Failed => Self::Failed,
        }
    }
}

/// One event on its way to one webhook.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeliveryRecord {
    #[serde(rename = "_id")]
    #[schema(value_type = ObjectId)]
    id: String,
    /// `event_id` and `webhook-id` of every attempt.
    #[serde(rename = "event_id")]
    event_id: String,
    event: Option<OutgoingEvent>,
    /// Attempts so far.
    attempt: i32,
    status: Status,
    /// Status of the last answer; null when there was none.
    response_status: Option<i32>,
    /// Why the last attempt failed.
    error: Option<String>,
    /// How long the last attempt took; null before the first.
    duration_ms: Option<i64>,
    #[schema(value_type = Option<Moment>)]
    next_attempt_at: Option<String>,
    #[schema(value_type = Moment)]
    created_at: String,
}

impl From<Delivery> for DeliveryRecord {
    fn from(delivery: Delivery) -> Self {
        Self {
            event: OutgoingEvent::of(delivery.event()),
            status: delivery.status().into(),
            id: delivery.id,
            event_id: delivery.event_id,
            attempt: delivery.attempts,
            response_status: Some(delivery.response_status).filter(|status| *status != 0),
            error: Some(delivery.error).filter(|error| !error.is_empty()),
            duration_ms: Some(delivery.duration_ms).filter(|_| delivery.attempts > 0),
            next_attempt_at: iso_null(delivery.next_attempt_time),
            created_at: iso(delivery.create_time),
        }
    }
}

/// What to list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct DeliveryQuery {
    /// 1 when left out; at most 10,000 records may come before it.
    #[param(inline)]
    page: Option<PageNumber>,
    /// At most so many; 20 when left out.
    #[param(inline)]
    limit: Option<PageLimit>,
    /// Only those of this event.
    #[param(inline)]
    event: Option<OutgoingEvent>,
    /// Only those in this state.
    #[param(inline)]
    status: Option<Status>,
}

async fn list(
    State(mut webhooks): State<OutgoingWebhooks>,
    call: Call,
    Segments(webhook): Segments<String>,
    Query(query): Query<DeliveryQuery>,
) -> Result<ApplicationPage<DeliveryRecord>> {
    let page = Page::new(query.page, query.limit)?;
    let status = query.status.map(DeliveryStatus::from);
    let request = call.request(ListDeliveriesRequest {
        webhook_id: id::parse::<WebhookId>("webhookId", &webhook)?.to_string(),
        page_size: page.size(),
        page_token: String::new(),
        skip: page.skip(),
        event: query.event.map(EventKind::from).unwrap_or_default().into(),
        status: status.unwrap_or_default().into(),
    });
    let answer = webhooks.list_deliveries(request).await?.into_inner();
    Ok(self::page(page.of(answer.total_size), answer.deliveries))
}

async fn redeliver(
    State(mut webhooks): State<OutgoingWebhooks>,
    call: Call,
    Segments((webhook, delivery)): Segments<(String, String)>,
) -> Result<(Replayed, Application<DeliveryRecord>)> {
    let request = call.request(RedeliverDeliveryRequest {
        webhook_id: id::parse::<WebhookId>("webhookId", &webhook)?.to_string(),
        delivery_id: id::parse::<DeliveryId>("deliveryId", &delivery)?.to_string(),
    });
    let answer = webhooks.redeliver_delivery(request).await?;
    let replayed = Replayed::of(&answer);
    let delivery = sent(answer.into_inner().delivery, "the delivery")?;
    Ok((replayed, queued(delivery)))
}

/// Which deliveries to queue again.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
struct Recovery {
    /// Those that were queued then or later.
    #[schema(value_type = Moment)]
    since: String,
}

impl Recovery {
    fn example() -> Self {
        Self {
            since: "2026-01-02T03:04:05.678Z".into(),
        }
    }
}

/// How many deliveries were queued again.
#[derive(Debug, Serialize, ToSchema)]
struct Recovered {
    queued: i32,
}

fn recovered(queued: i32) -> Application<Recovered> {
    Application::accepted("Recover success.", Recovered { queued })
}

async fn recover(
    State(mut webhooks): State<OutgoingWebhooks>,
    call: Call,
    Segments(webhook): Segments<String>,
    Input(recovery): Input<Recovery>,
) -> Result<(Replayed, Application<Recovered>)> {
    let since = Timestamp::parse_iso(&recovery.since);
    let since = since.ok_or_else(|| Error::invalid("since", "since must be an ISO-8601 time"))?;
    let request = call.request(RecoverDeliveriesRequest {
        webhook_id: id::parse::<WebhookId>("webhookId", &webhook)?.to_string(),
        since: Some(since.into()),
    });
    let answer = webhooks.recover_deliveries(request).await?;
    let replayed = Replayed::of(&answer);
    Ok((replayed, recovered(answer.into_inner().queued)))
}
