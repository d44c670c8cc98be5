//! Calls of incoming webhooks from outside (contract: events, "webhooks-in-receive").

use axum::{Json, extract::State};
use guildhall_auth::{AccessRule, caller::IDEMPOTENCY_KEY};
use guildhall_proto::webhooks::v1::{ReceiveCallRequest, receive_call_response::Done};
use guildhall_runtime::Reason;
use http::HeaderMap;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::routes;

use crate::{
    call::{Call, Replayed},
    endpoint::{Endpoint, OwnCredential},
    envelope::{Family, FieldNames, integration::Integration},
    extract::{Raw, Segments, header},
    failure::{Result, sent},
    upstream::Services,
};

/// The key of a webhook, which is no system key here.
pub const API_KEY: &str = "x-api-key";
/// Says with `true` that the body is encrypted.
const ENCRYPTED: &str = "x-encrypted";
/// The same value within 24 hours answers the first call.
pub const DEDUP_ID: &str = "webhook-id";

/// What callers call the fields of a message.
const NAMES: FieldNames = &[
    ("text", "message"),
    ("channel", "channelId"),
    ("topic_id", "forumTopicId"),
];

pub fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::new(
            "webhooks-in-receive",
            "Incoming webhook url",
            Family::Integration,
            AccessRule::Public,
            routes!(receive),
        )
        .calls("/guildhall.webhooks.v1.IncomingWebhookService/ReceiveCall")
        .presenting(&[OwnCredential::WebhookKey, OwnCredential::Nothing])
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

/// A call: what is in it depends on the kind of the webhook.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[expect(
    dead_code,
    reason = "the body is passed on as it came; this documents it"
)]
struct WebhookCall {
    /// The text, 1 to 10,000 characters (`send_message`).
    message: Option<String>,
    /// The author, when it is another than that of the settings.
    sender: Option<String>,
    /// The channel, when it is another than that of the settings; one of those allowed.
    channel_id: Option<String>,
    /// The topic, in forum channels.
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
    amount: Option<u64>,
    reason: Option<String>,
    transaction_id: Option<String>,
}

/// What was done.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct MessageReceipt {
    message_id: String,
}

/// Does what the webhook at this url is for; at most 60 calls a minute, of 64 KiB each. With
/// `x-encrypted: true` the body is encrypted: `{"iv","data","tag"}` (GCM) or `{"iv","data"}` (CBC).
/// `update_user_fields` and `update_currency` are checked and then answered 501: they come with user
/// fields and gamification.
#[utoipa::path(
    post,
    path = "/webhooks/incoming/{webhookId}",
    tag = "Webhooks",
    params(
        ("webhookId" = String, Path, description = "The last part of the webhook's url"),
        ("x-encrypted" = Option<String>, Header, description = "`true` for an encrypted body"),
        ("webhook-id" = Option<String>, Header, description = "The same value within 24 hours answers the first call"),
    ),
    request_body(content = WebhookCall, example = json!({ "message": "The market opens." })),
    responses((status = 200, description = "Done", body = Integration<MessageReceipt>, example = json!({
        "status": "success",
        "message": "Message send successfully",
        "data": { "messageId": "e50000000000000000000002" }
    })))
)]
async fn receive(
    State(services): State<Services>,
    call: Call,
    headers: HeaderMap,
    Segments(address): Segments<String>,
    Raw(body): Raw,
) -> Result<(Replayed, Json<Integration<MessageReceipt>>)> {
    let request = call.request(ReceiveCallRequest {
        address,
        api_key: header(&headers, API_KEY)?.to_owned(),
        encrypted: header(&headers, ENCRYPTED)?.eq_ignore_ascii_case("true"),
        body: body.into(),
        dedup_id: dedup_id(&headers)?,
    });
    let answer = services.incoming_webhooks().receive_call(request).await?;
    let replayed = Replayed::of(&answer);
    let Done::MessageSent(done) = sent(answer.into_inner().done, "what was done")?;
    let message_id = done.message_id;
    let receipt = Integration::new("Message send successfully", MessageReceipt { message_id });
    Ok((replayed, Json(receipt)))
}

/// What names a call: its `webhook-id`, else its Idempotency-Key.
pub fn dedup_id(headers: &HeaderMap) -> Result<String> {
    let named = header(headers, DEDUP_ID)?;
    if named.is_empty() {
        return Ok(header(headers, IDEMPOTENCY_KEY)?.to_owned());
    }
    Ok(named.to_owned())
}
