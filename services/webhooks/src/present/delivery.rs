//! Deliveries and their attempts, as answers show them.

use guildhall_proto::webhooks::v1::{
    Delivery, DeliveryAttempt, DeliveryHeader, GetDeliveryResponse, TestOutgoingWebhookResponse,
};
use guildhall_runtime::Timestamp;
use guildhall_types::ProtoEnum;

use crate::{
    delivery::Attempt,
    domain::EventKind,
    store::deliveries::{self, attempts, listing::Summary},
};

/// A delivery.
#[must_use]
pub fn delivery(delivery: Summary) -> Delivery {
    // While an attempt is running, the end of its claim is nothing to wait for.
    let now = Timestamp::now().as_millis();
    let is_running = delivery.claimed_until.is_some_and(|until| until > now);
    let next = delivery.next_attempt_at.filter(|_| !is_running);
    Delivery {
        id: delivery.id.to_string(),
        event_id: delivery.event_id,
        event: delivery.event.to_proto().into(),
        attempts: delivery.attempts,
        status: delivery.status.to_proto().into(),
        response_status: delivery.response_status.unwrap_or_default(),
        error: delivery.error.unwrap_or_default(),
        duration_ms: delivery.duration_ms.unwrap_or_default(),
        next_attempt_time: next.map(time),
        create_time: Some(time(delivery.created_at)),
    }
}

/// A delivery with what is sent and what came back.
#[must_use]
pub fn delivery_in_full(
    delivery: deliveries::Model,
    headers: Vec<(String, String)>,
) -> GetDeliveryResponse {
    let headers = headers.into_iter();
    let headers = headers.map(|(name, value)| DeliveryHeader { name, value });
    GetDeliveryResponse {
        attempts: delivery.all_attempts().into_iter().map(attempt).collect(),
        headers: headers.collect(),
        body: delivery.body.clone(),
        delivery: Some(self::delivery(delivery.into())),
    }
}

fn attempt(attempt: attempts::Attempt) -> DeliveryAttempt {
    DeliveryAttempt {
        number: attempt.number,
        time: attempt.at.map(time),
        response_status: attempt.status.unwrap_or_default(),
        response_body: attempt.answer,
        error: attempt.error.unwrap_or_default(),
        duration_ms: attempt.duration_ms,
    }
}

/// What a receiver said to a sample.
#[must_use]
pub fn test_event(
    kind: EventKind,
    event_id: &str,
    attempt: Attempt,
) -> TestOutgoingWebhookResponse {
    TestOutgoingWebhookResponse {
        event_id: event_id.to_owned(),
        event: kind.to_proto().into(),
        response_status: attempt.answer.status.map(i32::from).unwrap_or_default(),
        response_body: attempt.answer.body.unwrap_or_default(),
        error: attempt.answer.error.unwrap_or_default(),
        duration_ms: i64::try_from(attempt.duration.as_millis()).unwrap_or(i64::MAX),
    }
}

fn time(millis: i64) -> prost_types::Timestamp {
    Timestamp::from_millis(millis).into()
}
