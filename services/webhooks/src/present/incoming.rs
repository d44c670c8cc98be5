//! Incoming webhooks and workflows, as answers show them.

use guildhall_proto::webhooks::v1::{Encryption, IncomingSettings, IncomingWebhook, Workflow};
use guildhall_runtime::{Error, Result, Timestamp};
use guildhall_types::ProtoEnum as _;
use prost::Message;

use crate::store::{incoming, workflows};

/// An incoming webhook.
///
/// # Errors
/// INTERNAL when the row was damaged.
pub fn incoming(webhook: incoming::Model) -> Result<IncomingWebhook> {
    Ok(IncomingWebhook {
        settings: Some(IncomingSettings::decode(&*webhook.settings).map_err(Error::internal)?),
        id: webhook.id.to_string(),
        community_id: webhook.community_id.to_string(),
        name: webhook.name,
        kind: webhook.kind.to_proto().into(),
        address: webhook.address,
        api_key_enabled: webhook.api_key_enabled,
        encryption: Some(Encryption {
            enabled: webhook.encryption_enabled,
            mode: webhook.encryption_mode.to_proto().into(),
        }),
        enabled: webhook.enabled,
        create_time: Some(Timestamp::from_millis(webhook.created_at).into()),
        update_time: Some(Timestamp::from_millis(webhook.updated_at).into()),
        last_use_time: webhook
            .last_used_at
            .map(|at| Timestamp::from_millis(at).into()),
    })
}

/// A workflow.
#[must_use]
pub fn workflow(workflow: workflows::Model) -> Workflow {
    Workflow {
        id: workflow.id.to_string(),
        community_id: workflow.community_id.to_string(),
        name: workflow.name,
        create_time: Some(Timestamp::from_millis(workflow.created_at).into()),
    }
}
