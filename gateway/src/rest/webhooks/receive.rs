//! Calls of incoming webhooks from outside (contract: events, "webhooks-in-receive").

use axum::{Json, extract::State};
use guildhall_proto::webhooks::v1::{ReceiveCallRequest, receive_call_response::Done};
use guildhall_runtime::Reason;
use http::HeaderMap;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    call::{Call, Replayed},
    endpoint::Endpoint,
    envelope::{FieldNames, integration::Integration},
    extract::{Raw, Segments, api_key, header},
    failure::{Result, sent},
    sample,
    schema::{
        MessageText, ObjectId, UserReference, header as header_parameter, in_path, pattern, text,
    },
    upstream::IncomingWebhooks,
};

/// Says with `true` that the body is encrypted.
const ENCRYPTED: &str = "x-encrypted";
/// The same value within 24 hours answers the first call.
pub const DEDUP_ID: &str = "webhook-id";
/// What it may be.
pub const PRINTABLE: &str = "^[ -~]{0,255}$";

/// What callers call the fields of a message.
const NAMES: FieldNames = &[
    ("text", "message"),
    ("channel", "channelId"),
    ("topic_id", "forumTopicId"),
    ("dedup_id", DEDUP_ID),
];

pub fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::taking("webhooks-in-receive", receive, WebhookCall::example, || {
            done(sample::MESSAGE_ID.into())
        })
        .about(
            "Does what the webhook at this url is for; at most 60 calls a minute, of 64 KiB each. With \
             `x-encrypted: true` the body is encrypted: `{\"iv\",\"data\",\"tag\"}` (GCM) or \
             `{\"iv\",\"data\"}` (CBC). `update_user_fields` and `update_currency` are checked and then \
             answered 501: they come with user fields and gamification. Every field may also be spelled as \
             `channel_id`.",
        )
        .parameters(|| {
            vec![
                in_path("webhookId", "The last part of the webhook's url", text()),
                header_parameter(ENCRYPTED, "`true` for an encrypted body; all else means a plain one", text()),
                header_parameter(
                    DEDUP_ID,
                    "At most 255 printable characters. A second call with the same value within 24 hours \
                     gets the answer of the first, with whatever Idempotency-Key; with another body it is \
                     refused",
                    pattern(PRINTABLE),
                ),
            ]
        })
        .calls("/guildhall.webhooks.v1.IncomingWebhookService/ReceiveCall")
        .naming(NAMES)
        .refusing(&[
            Reason::CredentialInvalid,
            Reason::WebhookNotFound,
            Reason::UserNotFound,
            Reason::ChannelNotAllowed,
            Reason::RateLimited,
            Reason::NotImplemented,
        ]),
    ]
}

fn done(message_id: String) -> Integration<MessageReceipt> {
    Integration::new("Message send successfully", MessageReceipt { message_id })
}

/// A call: what is in it depends on the kind of the webhook.
#[derive(Debug, Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct WebhookCall {
    /// The text (`send_message`).
    #[schema(value_type = Option<MessageText>)]
    message: Option<String>,
    /// The author, when it is another than that of the settings.
    #[schema(value_type = Option<UserReference>)]
    sender: Option<String>,
    /// The channel, when it is another than that of the settings; one of those allowed.
    #[schema(value_type = Option<ObjectId>)]
    channel_id: Option<String>,
    /// The topic, in forum channels.
    #[schema(value_type = Option<ObjectId>)]
    forum_topic_id: Option<String>,
    /// The user (`update_user_fields`, `update_currency`).
    email: Option<String>,
    /// The user, instead of `email`.
    user_id: Option<String>,
    /// New values by name (`update_user_fields`).
    fields: Option<serde_json::Value>,
    /// `coins`, `xp` or `premium` (`update_currency`).
    currency: Option<String>,
    /// `add`, `subtract` or `set`.
    operation: Option<String>,
    /// A whole number.
    #[schema(minimum = 0, maximum = 9_223_372_036_854_775_807_i64)]
    amount: Option<i64>,
    reason: Option<String>,
    transaction_id: Option<String>,
}

impl WebhookCall {
    fn example() -> Self {
        Self {
            message: Some("The market opens.".into()),
            ..Self::default()
        }
    }
}

/// What was done.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct MessageReceipt {
    #[schema(value_type = ObjectId)]
    message_id: String,
}

async fn receive(
    State(mut webhooks): State<IncomingWebhooks>,
    call: Call,
    headers: HeaderMap,
    Segments(address): Segments<String>,
    Raw(body, _): Raw<WebhookCall>,
) -> Result<(Replayed, Json<Integration<MessageReceipt>>)> {
    let request = call.request(ReceiveCallRequest {
        address,
        api_key: api_key(&headers)?.to_owned(),
        encrypted: header(&headers, ENCRYPTED)?.eq_ignore_ascii_case("true"),
        body: body.into(),
        dedup_id: header(&headers, DEDUP_ID)?.to_owned(),
    });
    let answer = webhooks.receive_call(request).await?;
    let replayed = Replayed::of(&answer);
    let Done::MessageSent(done) = sent(answer.into_inner().done, "what was done")?;
    Ok((replayed, Json(self::done(done.message_id))))
}
