//! Outgoing webhooks and their deliveries, as answers show them.

use guildhall_proto::webhooks::v1::{Delivery, Encryption, OutgoingWebhook};
use guildhall_runtime::Timestamp;
use guildhall_types::ProtoEnum;

use crate::store::{deliveries::listing::Summary, outgoing};

/// An outgoing webhook, without its secrets.
#[must_use]
pub fn outgoing_webhook(webhook: outgoing::Model) -> OutgoingWebhook {
    let events = webhook.kinds().iter().map(|kind| kind.to_proto().into());
    let disabled_reason = webhook.disabled_reason.map(ProtoEnum::to_proto);
    OutgoingWebhook {
        id: webhook.id.to_string(),
        community_id: webhook.community_id.to_string(),
        events: events.collect(),
        encryption: Some(Encryption {
            enabled: webhook.encrypted,
            mode: webhook.encryption_mode.to_proto().into(),
        }),
        name: webhook.name,
        url: webhook.url,
        channel_ids: texts(&webhook.channel_ids.0),
        ignored_incoming_ids: texts(&webhook.ignored_incoming_ids.0),
        enabled: webhook.enabled,
        has_secret: true,
        consecutive_failures: webhook.consecutive_failures,
        disabled_reason: disabled_reason.unwrap_or_default().into(),
        joins_on_bulk_import: webhook.joins_on_bulk_import,
        create_time: Some(time(webhook.created_at)),
        update_time: Some(time(webhook.updated_at)),
    }
}

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

fn texts<T: ToString>(ids: &[T]) -> Vec<String> {
    ids.iter().map(ToString::to_string).collect()
}

fn time(millis: i64) -> prost_types::Timestamp {
    Timestamp::from_millis(millis).into()
}
