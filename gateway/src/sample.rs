//! Records as services would send them: the examples of the documentation are made of these, by the
//! code that makes the answers.

use guildhall_auth::CredentialKind;
use guildhall_proto::{
    identity::v1::{ApiKey, SigningKey, User},
    messaging::v1::{Author, Channel, ChannelType, Message, MessageKind, Reaction, ReactionCount},
    webhooks::v1::{
        Delivery, DeliveryAttempt, DeliveryHeader, DeliveryStatus, Encryption, EncryptionMode,
        EventKind, GetDeliveryResponse, IncomingKind, IncomingSettings, IncomingWebhook,
        OutgoingWebhook, TestOutgoingWebhookResponse,
    },
};

pub const MESSAGE_ID: &str = "e50000000000000000000001";
pub const CHANNEL_ID: &str = "ca0000000000000000000001";
pub const COMMUNITY_ID: &str = "c00000000000000000000001";
pub const USER_ID: &str = "a00000000000000000001201";
pub const WEBHOOK_ID: &str = "f00000000000000000000001";
/// Made for the documentation; no key of any community.
pub const KEY: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// 2026-01-02T03:04:05.678Z
const MOMENT: prost_types::Timestamp = prost_types::Timestamp {
    seconds: 1_767_323_045,
    nanos: 678_000_000,
};

pub fn author() -> Author {
    Author {
        user_id: USER_ID.into(),
        number: 1201,
        username: "ann".into(),
        email: "ann@example.com".into(),
        display_name: "Ann".into(),
        first_name: "Ann".into(),
        avatar: String::new(),
    }
}

pub fn message() -> Message {
    Message {
        id: MESSAGE_ID.into(),
        number: 711,
        channel_id: CHANNEL_ID.into(),
        channel_topic: "General".into(),
        seq: 1,
        author: Some(author()),
        text: "Hello everyone".into(),
        kind: MessageKind::Text.into(),
        reactions: vec![ReactionCount {
            emoji: "🎉".into(),
            count: 2,
        }],
        create_time: Some(MOMENT),
        ..Message::default()
    }
}

pub fn reaction() -> Reaction {
    Reaction {
        emoji: "🎉".into(),
        shortcode: "tada".into(),
        count: 1,
        users: vec![author()],
        update_time: Some(MOMENT),
    }
}

pub fn channel() -> Channel {
    Channel {
        id: CHANNEL_ID.into(),
        topic: "General".into(),
        r#type: ChannelType::Open.into(),
        creator_number: 1,
        create_time: Some(MOMENT),
        update_time: Some(MOMENT),
        ..Channel::default()
    }
}

pub fn user() -> User {
    User {
        id: USER_ID.into(),
        number: 1201,
        username: "ann".into(),
        email: "ann@example.com".into(),
        display_name: "Ann".into(),
        ..User::default()
    }
}

pub fn api_key() -> ApiKey {
    ApiKey {
        id: "d00000000000000000000001".into(),
        name: "Slack".into(),
        kind: CredentialKind::CommunityKey.into(),
        community_id: COMMUNITY_ID.into(),
        permissions: vec!["sendMessage".into()],
        active: true,
        create_time: Some(MOMENT),
        ..ApiKey::default()
    }
}

pub fn signing_key() -> SigningKey {
    SigningKey {
        key_id: "c0ffee".into(),
        public_key: (0..32).collect(),
        create_time: Some(MOMENT),
    }
}

pub fn incoming_webhook() -> IncomingWebhook {
    IncomingWebhook {
        id: WEBHOOK_ID.into(),
        community_id: COMMUNITY_ID.into(),
        name: "News".into(),
        kind: IncomingKind::SendMessage.into(),
        address: "q7w2e9r4t6y1u8i3o5p0a2s4d6f8g1h3".into(),
        settings: Some(IncomingSettings {
            channel_id: CHANNEL_ID.into(),
            sender: "newsbot".into(),
            ..IncomingSettings::default()
        }),
        api_key_enabled: true,
        encryption: Some(encryption()),
        enabled: true,
        create_time: Some(MOMENT),
        update_time: Some(MOMENT),
        last_use_time: None,
    }
}

pub fn outgoing_webhook() -> OutgoingWebhook {
    OutgoingWebhook {
        id: WEBHOOK_ID.into(),
        community_id: COMMUNITY_ID.into(),
        name: "CRM".into(),
        url: "https://crm.example.com/guildhall".into(),
        events: vec![EventKind::UserJoinedCommunity.into()],
        enabled: true,
        encryption: Some(encryption()),
        has_secret: true,
        create_time: Some(MOMENT),
        update_time: Some(MOMENT),
        ..OutgoingWebhook::default()
    }
}

const EVENT_ID: &str = "00000000-0000-4000-8000-000000000001";

pub fn delivery() -> Delivery {
    Delivery {
        id: "d10000000000000000000001".into(),
        event_id: EVENT_ID.into(),
        event: EventKind::MessagePosted.into(),
        attempts: 1,
        status: DeliveryStatus::Pending.into(),
        response_status: 500,
        error: "status 500".into(),
        duration_ms: 41,
        next_attempt_time: Some(MOMENT),
        create_time: Some(MOMENT),
    }
}

/// All of a delivery but what lists show of it.
pub fn delivery_in_full() -> GetDeliveryResponse {
    let headers = [
        ("content-type", "application/json; charset=utf-8"),
        ("webhook-id", EVENT_ID),
        ("webhook-signature", "v1,***"),
        ("webhook-timestamp", "1767323045"),
        ("x-api-key", "***"),
        ("x-event", "message_posted"),
        ("x-event-id", EVENT_ID),
        ("x-event-timestamp", "2026-01-02T03:04:05.678Z"),
    ];
    let header = |(name, value): (&str, &str)| DeliveryHeader {
        name: name.into(),
        value: value.into(),
    };
    GetDeliveryResponse {
        delivery: None,
        headers: headers.map(header).into(),
        body: format!(r#"{{"event":"message_posted","event_id":"{EVENT_ID}"}}"#),
        attempts: vec![DeliveryAttempt {
            number: 1,
            time: Some(MOMENT),
            response_status: 500,
            response_body: "Internal Server Error".into(),
            error: "status 500".into(),
            duration_ms: 41,
        }],
    }
}

/// What a receiver said to a sample.
pub fn trial() -> TestOutgoingWebhookResponse {
    TestOutgoingWebhookResponse {
        event_id: EVENT_ID.into(),
        event: EventKind::MessagePosted.into(),
        response_status: 200,
        response_body: "ok".into(),
        error: String::new(),
        duration_ms: 41,
    }
}

fn encryption() -> Encryption {
    Encryption {
        enabled: false,
        mode: EncryptionMode::Gcm.into(),
    }
}
