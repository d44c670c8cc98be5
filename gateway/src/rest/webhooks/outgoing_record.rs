//! Outgoing webhooks as callers see them and ask for them.

use guildhall_proto::webhooks::v1::{DisabledReason, OutgoingWebhook, OutgoingWebhookSpec};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    encryption::{NewWebhookEncryption, WebhookEncryption},
    outgoing_event::{OutgoingEvent, to_proto},
};
use crate::{
    moment::iso,
    schema::{Moment, Name, ObjectId},
};

/// An outgoing webhook.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OutgoingRecord {
    #[serde(rename = "_id")]
    #[schema(value_type = ObjectId)]
    id: String,
    #[serde(rename = "communityID")]
    #[schema(value_type = ObjectId)]
    community_id: String,
    name: String,
    url: String,
    events: Vec<OutgoingEvent>,
    #[schema(value_type = Vec<ObjectId>)]
    channel_ids: Vec<String>,
    #[schema(value_type = Vec<ObjectId>)]
    ignore_incoming_ids: Vec<String>,
    is_enabled: bool,
    encryption: WebhookEncryption,
    has_secret: bool,
    /// Attempts in a row that failed.
    consecutive_failures: i32,
    /// Why the platform switched it off, if it did.
    disabled_reason: Option<SwitchedOff>,
    join_on_bulk_import: bool,
    #[schema(value_type = Moment)]
    created_at: String,
    #[schema(value_type = Moment)]
    updated_at: String,
    /// What its deliveries are signed with, in the one answer that makes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    secret: Option<String>,
}

/// Why the platform switched a webhook off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum SwitchedOff {
    /// Its receiver said that it is gone.
    Gone,
    /// Its deliveries kept failing.
    Failing,
}

impl From<OutgoingWebhook> for OutgoingRecord {
    fn from(webhook: OutgoingWebhook) -> Self {
        Self {
            events: webhook.events().filter_map(OutgoingEvent::of).collect(),
            disabled_reason: match webhook.disabled_reason() {
                DisabledReason::Unspecified => None,
                DisabledReason::Gone => Some(SwitchedOff::Gone),
                DisabledReason::Failing => Some(SwitchedOff::Failing),
            },
            id: webhook.id,
            community_id: webhook.community_id,
            name: webhook.name,
            url: webhook.url,
            channel_ids: webhook.channel_ids,
            ignore_incoming_ids: webhook.ignored_incoming_ids,
            is_enabled: webhook.enabled,
            encryption: webhook.encryption.unwrap_or_default().into(),
            has_secret: webhook.has_secret,
            consecutive_failures: webhook.consecutive_failures,
            join_on_bulk_import: webhook.joins_on_bulk_import,
            created_at: iso(webhook.create_time),
            updated_at: iso(webhook.update_time),
            secret: None,
        }
    }
}

impl OutgoingRecord {
    /// With the secret that it has just got, if it got one.
    pub fn with_secret(mut self, secret: String) -> Self {
        self.secret = Some(secret).filter(|secret| !secret.is_empty());
        self
    }
}

/// An address on the public internet, of at most 2,048 characters; without a user name.
#[derive(Serialize, ToSchema)]
#[schema(
    value_type = String,
    max_length = 2_048,
    pattern = r"^https://[^\s/?#\\@\x00-\x1f\x7f-\x9f]+([/?#\\][^\x00-\x1f\x7f-\x9f]*)?$"
)]
struct WebhookUrl(String);

/// An outgoing webhook to make.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NewOutgoing {
    #[schema(value_type = Name)]
    name: String,
    /// Where deliveries go.
    #[schema(value_type = WebhookUrl)]
    url: String,
    /// At least one.
    #[schema(min_items = 1)]
    events: Vec<OutgoingEvent>,
    /// Required with `channel_message_posted`, at most 100.
    #[schema(value_type = Option<Vec<ObjectId>>, max_items = 100)]
    channel_ids: Option<Vec<String>>,
    /// Incoming webhooks whose messages it does not tell of, at most 50.
    #[schema(value_type = Option<Vec<ObjectId>>, max_items = 50)]
    ignore_incoming_ids: Option<Vec<String>>,
    /// True when left out.
    is_enabled: Option<bool>,
    /// Not encrypted when left out.
    encryption: Option<NewWebhookEncryption>,
    /// Sent as `x-api-key`; never shown again. Empty for none.
    #[schema(max_length = 255, pattern = "^([!-~]([ -~]*[!-~])?)?$")]
    api_key: Option<String>,
    /// Whether bulk imports tell of each member who joins by them.
    join_on_bulk_import: Option<bool>,
}

impl NewOutgoing {
    pub fn example() -> Self {
        Self {
            name: "CRM".into(),
            url: "https://crm.example.com/guildhall".into(),
            events: vec![OutgoingEvent::UserJoinedCommunity],
            ..Self::default()
        }
    }
}

impl From<NewOutgoing> for OutgoingWebhookSpec {
    fn from(new: NewOutgoing) -> Self {
        Self {
            name: new.name,
            url: new.url,
            events: to_proto(new.events),
            channel_ids: new.channel_ids.unwrap_or_default(),
            ignored_incoming_ids: new.ignore_incoming_ids.unwrap_or_default(),
            enabled: new.is_enabled,
            encryption: new.encryption.map(Into::into),
            api_key: new.api_key.unwrap_or_default(),
            joins_on_bulk_import: new.join_on_bulk_import.unwrap_or_default(),
        }
    }
}

/// What shall change of an outgoing webhook; what is left out stays.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OutgoingChange {
    #[schema(value_type = Option<Name>)]
    name: Option<String>,
    #[schema(value_type = Option<WebhookUrl>)]
    url: Option<String>,
    #[schema(min_items = 1)]
    events: Option<Vec<OutgoingEvent>>,
    #[schema(value_type = Option<Vec<ObjectId>>, max_items = 100)]
    channel_ids: Option<Vec<String>>,
    #[schema(value_type = Option<Vec<ObjectId>>, max_items = 50)]
    ignore_incoming_ids: Option<Vec<String>>,
    /// True resets the count of failures, too.
    is_enabled: Option<bool>,
    encryption: Option<NewWebhookEncryption>,
    /// Empty for none.
    #[schema(max_length = 255, pattern = "^([!-~]([ -~]*[!-~])?)?$")]
    api_key: Option<String>,
    join_on_bulk_import: Option<bool>,
    /// True for a new secret; the old one signs beside it for 24 hours.
    pub rotate_secret: Option<bool>,
}

impl OutgoingChange {
    pub fn example() -> Self {
        Self {
            is_enabled: Some(true),
            ..Self::default()
        }
    }
}

impl From<OutgoingChange> for OutgoingWebhookSpec {
    fn from(change: OutgoingChange) -> Self {
        Self {
            name: change.name.unwrap_or_default(),
            url: change.url.unwrap_or_default(),
            events: change.events.map(to_proto).unwrap_or_default(),
            channel_ids: change.channel_ids.unwrap_or_default(),
            ignored_incoming_ids: change.ignore_incoming_ids.unwrap_or_default(),
            enabled: change.is_enabled,
            encryption: change.encryption.map(Into::into),
            api_key: change.api_key.unwrap_or_default(),
            joins_on_bulk_import: change.join_on_bulk_import.unwrap_or_default(),
        }
    }
}
