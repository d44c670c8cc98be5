//! Incoming webhooks as callers see them and ask for them.

use std::fmt::Display;

use guildhall_proto::webhooks::v1::{
    IncomingKind, IncomingSettings, IncomingWebhook, IncomingWebhookSpec,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::encryption::{NewWebhookEncryption, WebhookEncryption};
use crate::{
    moment::{iso, iso_null},
    sample,
    schema::{Moment, Name, ObjectId, UserReference},
};

/// What an incoming webhook does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Kind {
    SendMessage,
    UpdateUserFields,
    UpdateCurrency,
}

impl From<Kind> for IncomingKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::SendMessage => Self::SendMessage,
            Kind::UpdateUserFields => Self::UpdateUserFields,
            Kind::UpdateCurrency => Self::UpdateCurrency,
        }
    }
}

impl From<IncomingKind> for Kind {
    fn from(kind: IncomingKind) -> Self {
        match kind {
            IncomingKind::Unspecified | IncomingKind::SendMessage => Self::SendMessage,
            IncomingKind::UpdateUserFields => Self::UpdateUserFields,
            IncomingKind::UpdateCurrency => Self::UpdateCurrency,
        }
    }
}

/// A currency of the community.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[expect(dead_code, reason = "the service reads it; this documents it")]
enum Currency {
    Coins,
    Xp,
    Premium,
}

/// The name of a user field.
#[derive(Serialize, ToSchema)]
#[schema(value_type = String, max_length = 100, pattern = r"^[^\x00]*$")]
struct FieldName(String);

/// What callers of a webhook may do.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct CallSettings {
    #[schema(value_type = Option<ObjectId>)]
    channel_id: Option<String>,
    #[schema(value_type = Vec<ObjectId>)]
    allowed_channel_ids: Vec<String>,
    sender: Option<String>,
    allowed_fields: Vec<String>,
    #[schema(value_type = Vec<Currency>)]
    allowed_currencies: Vec<String>,
}

impl From<IncomingSettings> for CallSettings {
    fn from(settings: IncomingSettings) -> Self {
        Self {
            channel_id: Some(settings.channel_id).filter(|id| !id.is_empty()),
            allowed_channel_ids: settings.allowed_channel_ids,
            sender: Some(settings.sender).filter(|sender| !sender.is_empty()),
            allowed_fields: settings.allowed_fields,
            allowed_currencies: settings.allowed_currencies,
        }
    }
}

/// An incoming webhook.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct IncomingRecord {
    #[serde(rename = "_id")]
    #[schema(value_type = ObjectId)]
    id: String,
    #[serde(rename = "communityID")]
    #[schema(value_type = ObjectId)]
    community_id: String,
    name: String,
    kind: Kind,
    /// Where it is called; keep it to those who may.
    url: String,
    settings: CallSettings,
    api_key_enabled: bool,
    encryption: WebhookEncryption,
    is_enabled: bool,
    #[schema(value_type = Moment)]
    created_at: String,
    #[schema(value_type = Moment)]
    updated_at: String,
    /// To the minute; null when never.
    #[schema(value_type = Option<Moment>)]
    last_used_at: Option<String>,
    /// Its API key, in the one answer that makes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    api_key: Option<String>,
}

impl IncomingRecord {
    pub fn new(webhook: IncomingWebhook, at: &impl Display) -> Self {
        Self {
            kind: webhook.kind().into(),
            url: format!("{at}/v1/webhooks/incoming/{}", webhook.address),
            id: webhook.id,
            community_id: webhook.community_id,
            name: webhook.name,
            settings: webhook.settings.unwrap_or_default().into(),
            api_key_enabled: webhook.api_key_enabled,
            encryption: webhook.encryption.unwrap_or_default().into(),
            is_enabled: webhook.enabled,
            created_at: iso(webhook.create_time),
            updated_at: iso(webhook.update_time),
            last_used_at: iso_null(webhook.last_use_time),
            api_key: None,
        }
    }

    /// With the key that it has just got, if it got one.
    pub fn with_key(mut self, api_key: String) -> Self {
        self.api_key = Some(api_key).filter(|key| !key.is_empty());
        self
    }
}

/// What callers of a webhook shall be able to do.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct NewCallSettings {
    /// Where messages go; required for `send_message`. Empty for none.
    #[schema(pattern = "^([0-9a-fA-F]{24})?$")]
    channel_id: Option<String>,
    /// The channels that a call may name instead, at most 100.
    #[schema(value_type = Option<Vec<ObjectId>>, max_items = 100)]
    allowed_channel_ids: Option<Vec<String>>,
    /// The author of messages, unless a call names one. Without it the community's bot is the author.
    #[schema(value_type = Option<UserReference>)]
    sender: Option<String>,
    /// The user fields that calls may set, at most 100.
    #[schema(value_type = Option<Vec<FieldName>>, max_items = 100)]
    allowed_fields: Option<Vec<String>>,
    #[schema(value_type = Option<Vec<Currency>>, max_items = 100)]
    allowed_currencies: Option<Vec<String>>,
}

impl From<NewCallSettings> for IncomingSettings {
    fn from(new: NewCallSettings) -> Self {
        Self {
            channel_id: new.channel_id.unwrap_or_default(),
            allowed_channel_ids: new.allowed_channel_ids.unwrap_or_default(),
            sender: new.sender.unwrap_or_default(),
            allowed_fields: new.allowed_fields.unwrap_or_default(),
            allowed_currencies: new.allowed_currencies.unwrap_or_default(),
        }
    }
}

/// An incoming webhook to make.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NewIncoming {
    #[schema(value_type = Name)]
    name: String,
    kind: Kind,
    settings: Option<NewCallSettings>,
    /// True when left out.
    api_key_enabled: Option<bool>,
    /// Not encrypted when left out.
    encryption: Option<NewWebhookEncryption>,
    /// True when left out.
    is_enabled: Option<bool>,
}

impl NewIncoming {
    pub fn example() -> Self {
        let settings = NewCallSettings {
            channel_id: Some(sample::CHANNEL_ID.into()),
            sender: Some("newsbot".into()),
            ..NewCallSettings::default()
        };
        Self {
            name: "News".into(),
            kind: Kind::SendMessage,
            settings: Some(settings),
            api_key_enabled: None,
            encryption: None,
            is_enabled: None,
        }
    }
}

impl From<NewIncoming> for IncomingWebhookSpec {
    fn from(new: NewIncoming) -> Self {
        Self {
            name: new.name,
            kind: IncomingKind::from(new.kind).into(),
            settings: new.settings.map(Into::into),
            api_key_enabled: new.api_key_enabled,
            encryption: new.encryption.map(Into::into),
            enabled: new.is_enabled,
        }
    }
}

/// What shall change of an incoming webhook; what is left out stays.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct IncomingChange {
    #[schema(value_type = Option<Name>)]
    name: Option<String>,
    /// Cannot be changed: the present kind, or left out.
    kind: Option<Kind>,
    settings: Option<NewCallSettings>,
    api_key_enabled: Option<bool>,
    encryption: Option<NewWebhookEncryption>,
    is_enabled: Option<bool>,
    /// True for a new API key; the old one stops working.
    pub rotate_api_key: Option<bool>,
}

impl IncomingChange {
    pub fn example() -> Self {
        Self {
            is_enabled: Some(false),
            ..Self::default()
        }
    }
}

impl From<IncomingChange> for IncomingWebhookSpec {
    fn from(change: IncomingChange) -> Self {
        let kind = change.kind.map(|kind| IncomingKind::from(kind).into());
        Self {
            name: change.name.unwrap_or_default(),
            kind: kind.unwrap_or_default(),
            settings: change.settings.map(Into::into),
            api_key_enabled: change.api_key_enabled,
            encryption: change.encryption.map(Into::into),
            enabled: change.is_enabled,
        }
    }
}
