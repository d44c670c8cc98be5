//! Outgoing webhooks, as answers show them.

use guildhall_proto::webhooks::v1::{Encryption, OutgoingWebhook};
use guildhall_runtime::Timestamp;
use guildhall_types::ProtoEnum;

use crate::store::outgoing;

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

fn texts<T: ToString>(ids: &[T]) -> Vec<String> {
    ids.iter().map(ToString::to_string).collect()
}

fn time(millis: i64) -> prost_types::Timestamp {
    Timestamp::from_millis(millis).into()
}
