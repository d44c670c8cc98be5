//! One delivery of an outgoing webhook in full (contract: settlements, "webhooks-out-delivery-get").

use std::collections::BTreeMap;

use axum::extract::State;
use guildhall_proto::webhooks::v1::{DeliveryAttempt, GetDeliveryRequest, GetDeliveryResponse};
use guildhall_runtime::Reason;
use guildhall_types::{DeliveryId, WebhookId, id};
use serde::Serialize;
use utoipa::ToSchema;

use super::outgoing_deliveries::DeliveryRecord;
use crate::{
    call::Call,
    endpoint::Endpoint,
    envelope::application::Application,
    extract::Segments,
    failure::{Result, sent},
    moment::iso_null,
    sample,
    schema::Moment,
    upstream::OutgoingWebhooks,
};

pub fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::new("webhooks-out-delivery-get", get, || {
            let record = sample::delivery().into();
            shown(DeliveryInFull::new(record, sample::delivery_in_full()))
        })
        .about("One delivery, with what is sent and what came back from each attempt.")
        .calls("/guildhall.webhooks.v1.OutgoingWebhookService/GetDelivery")
        .refusing(&[Reason::WebhookNotFound, Reason::DeliveryNotFound]),
    ]
}

fn shown(delivery: DeliveryInFull) -> Application<DeliveryInFull> {
    Application::read("delivery", delivery)
}

/// One event on its way to one webhook, with what is sent and what came back.
#[derive(Debug, Serialize, ToSchema)]
struct DeliveryInFull {
    #[serde(flatten)]
    delivery: DeliveryRecord,
    /// The headers of the last attempt, or of the next one before the first, as the webhook is set up
    /// now. Signature and `x-api-key` are masked.
    headers: BTreeMap<String, String>,
    /// The body that is sent, before it is encrypted.
    body: String,
    /// The last attempt and up to 20 before it, the oldest first.
    attempts: Vec<AttemptRecord>,
}

/// What became of an attempt.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct AttemptRecord {
    /// Its number, from 1.
    attempt: i32,
    /// When it began; null for one of a release that did not keep this.
    #[schema(value_type = Option<Moment>)]
    attempted_at: Option<String>,
    /// Status of the answer; null when there was none.
    response_status: Option<i32>,
    /// The first 1,000 characters of the answer; null when there was none.
    response_body: Option<String>,
    /// Why it failed.
    error: Option<String>,
    duration_ms: i64,
}

impl From<DeliveryAttempt> for AttemptRecord {
    fn from(attempt: DeliveryAttempt) -> Self {
        let answered = attempt.response_status != 0;
        Self {
            attempt: attempt.number,
            attempted_at: iso_null(attempt.time),
            response_status: answered.then_some(attempt.response_status),
            response_body: answered.then_some(attempt.response_body),
            error: Some(attempt.error).filter(|error| !error.is_empty()),
            duration_ms: attempt.duration_ms,
        }
    }
}

impl DeliveryInFull {
    fn new(delivery: DeliveryRecord, rest: GetDeliveryResponse) -> Self {
        let headers = rest.headers.into_iter();
        Self {
            delivery,
            headers: headers.map(|header| (header.name, header.value)).collect(),
            body: rest.body,
            attempts: rest.attempts.into_iter().map(AttemptRecord::from).collect(),
        }
    }
}

async fn get(
    State(mut webhooks): State<OutgoingWebhooks>,
    call: Call,
    Segments((webhook, delivery)): Segments<(String, String)>,
) -> Result<Application<DeliveryInFull>> {
    let request = call.request(GetDeliveryRequest {
        webhook_id: id::parse::<WebhookId>("webhookId", &webhook)?.to_string(),
        delivery_id: id::parse::<DeliveryId>("deliveryId", &delivery)?.to_string(),
    });
    let mut answer = webhooks.get_delivery(request).await?.into_inner();
    let delivery = sent(answer.delivery.take(), "the delivery")?;
    Ok(shown(DeliveryInFull::new(delivery.into(), answer)))
}
