//! Messages (contract: messaging, "2. Messaging").

use axum::{Json, extract::State};
use guildhall_auth::Permission;
use guildhall_proto::messaging::v1::{GetMessageRequest, ReplyMessageRequest, SendMessageRequest};
use guildhall_runtime::{Error, Reason};
use guildhall_types::{ChannelId, MessageId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::{
    message_item::{MessageItem, by_id},
    message_list::{ListQuery, MessagePage},
};
use crate::{
    call::{Call, Replayed},
    endpoint::{Endpoint, bearer_keys},
    envelope::{Family, FieldNames, integration::Integration},
    extract::{Input, Query, Segments, id},
    failure::{Result, sent},
    listing,
    upstream::Services,
};

/// What callers call the fields of a message.
const WRITTEN: FieldNames = &[
    ("text", "message"),
    ("channel", "channelId"),
    ("topic_id", "forumTopicId"),
];
/// What callers call the filters of a list.
const ASKED: FieldNames = &[
    ("page_size", "count"),
    ("channel", "channel_id"),
    ("user", "user_id"),
    ("parent", "parent_id"),
    ("topic_id", "forum_topic_id"),
];

pub fn endpoints() -> Vec<Endpoint> {
    use Family::Integration;
    const WRITE: &[Reason] = &[
        Reason::ChannelNotFound,
        Reason::UserNotFound,
        Reason::SenderNotAllowed,
        Reason::ChannelNotAllowed,
        Reason::IdempotencyMismatch,
    ];
    vec![
        Endpoint::new(
            "messages-list",
            "Get Messages",
            Integration,
            bearer_keys(Permission::GetMessages),
            routes!(list),
        )
        .calls("/guildhall.messaging.v1.MessageService/ListMessages")
        .naming(ASKED)
        .refusing(&[Reason::ChannelNotFound, Reason::ChannelNotAllowed]),
        Endpoint::new(
            "messages-send",
            "Send Message",
            Integration,
            bearer_keys(Permission::SendMessage),
            routes!(send),
        )
        .alias("/messages")
        .calls("/guildhall.messaging.v1.MessageService/SendMessage")
        .naming(WRITTEN)
        .refusing(WRITE),
        Endpoint::new(
            "messages-reply",
            "Reply Message",
            Integration,
            bearer_keys(Permission::ReplyMessage),
            routes!(reply),
        )
        .calls("/guildhall.messaging.v1.MessageService/ReplyMessage")
        .naming(WRITTEN)
        .refusing(WRITE),
        Endpoint::new(
            "messages-get",
            "Get one message",
            Integration,
            bearer_keys(Permission::GetMessages),
            routes!(get),
        )
        .calls("/guildhall.messaging.v1.MessageService/GetMessage")
        .refusing(&[Reason::MessageNotFound, Reason::ChannelNotAllowed]),
    ]
}

/// Messages, newest first.
#[utoipa::path(
    get,
    path = "/messages",
    tag = "Messaging",
    params(ListQuery),
    responses((status = 200, description = "A page", body = Integration<MessagePage>, example = json!({
        "status": "success",
        "message": "messages fetched successfully",
        "data": {
            "total": 1,
            "messages": [{
                "id": "e50000000000000000000001", "message": "Hi",
                "user": { "user_id": "1201", "email": "ann@example.com" },
                "channel": { "channel_id": "ca000000000000000000000a", "name": "Rules" },
                "timestamp": "2026-01-02T01:39:43.561Z",
                "parent_id": null, "forum_topic_id": null, "attachments": [],
                "reactions": [{ "emoji": "🎉", "count": 2 }], "edited_at": null
            }],
            "has_more": false, "next_before": null, "next_after": "e50000000000000000000001"
        }
    })))
)]
async fn list(
    State(services): State<Services>,
    call: Call,
    Query(query): Query<ListQuery>,
) -> Result<Json<Integration<MessagePage>>> {
    let listed = listing::messages(&services, &call, query.filters()?, query.count()?).await?;
    let page = MessagePage::new(listed, query.towards_newer());
    Ok(Json(Integration::new(
        "messages fetched successfully",
        page,
    )))
}

/// One message.
#[utoipa::path(
    get,
    path = "/messages/{messageId}",
    tag = "Messaging",
    params(("messageId" = String, Path, description = "24 hexadecimal characters")),
    responses((status = 200, description = "The message", body = Integration<MessageItem>, example = json!({
        "status": "success",
        "message": "message fetched successfully",
        "data": {
            "id": "e50000000000000000000001", "message": "Hi",
            "user": { "user_id": "1201", "email": "ann@example.com" },
            "channel": { "channel_id": "ca000000000000000000000a", "name": "Rules" },
            "timestamp": "2026-01-02T01:39:43.561Z",
            "parent_id": null, "forum_topic_id": null, "attachments": [],
            "reactions": [], "edited_at": null
        }
    })))
)]
async fn get(
    State(services): State<Services>,
    call: Call,
    Segments(message_id): Segments<String>,
) -> Result<Json<Integration<MessageItem>>> {
    let message = by_id(id::<MessageId>("messageId", &message_id)?);
    let request = call.request(GetMessageRequest { message });
    let answer = services.messages().get_message(request).await?;
    let message = sent(answer.into_inner().message, "a message")?;
    let item = message.into();
    Ok(Json(Integration::new("message fetched successfully", item)))
}

/// A message to send.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct NewMessage {
    /// From the list of channels.
    #[serde(alias = "channel_id")]
    channel_id: String,
    /// 1 to 10,000 characters.
    message: String,
    /// Username, e-mail address, id or number of the author. User keys write as their owner.
    sender: Option<String>,
    /// The topic; required in forum channels.
    #[serde(alias = "forum_topic_id")]
    forum_topic_id: Option<String>,
    #[schema(ignore)]
    attachments: Option<Vec<serde_json::Value>>,
}

/// What was stored.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Receipt {
    message_id: String,
}

/// Sends a message as a member. It is on disk when the answer comes.
#[utoipa::path(
    post,
    path = "/messages/send",
    tag = "Messaging",
    request_body(content = NewMessage, example = json!({
        "channelId": "ca0000000000000000000001",
        "message": "Hello! How is everyone doing?",
        "sender": "johndoe@gmail.com"
    })),
    responses((status = 200, description = "Stored", body = Integration<Receipt>, example = json!({
        "status": "success",
        "message": "Message send successfully",
        "data": { "messageId": "e50000000000000000000002" }
    })))
)]
async fn send(
    State(services): State<Services>,
    call: Call,
    Input(new): Input<NewMessage>,
) -> Result<(Replayed, Json<Integration<Receipt>>)> {
    if new.attachments.is_some_and(|files| !files.is_empty()) {
        // No file has ever been given an id.
        return Err(Error::invalid("attachments", "attachments: unknown file id").into());
    }
    let request = call.request(SendMessageRequest {
        channel: id::<ChannelId>("channelId", &new.channel_id)?.to_string(),
        sender: new.sender.unwrap_or_default(),
        text: new.message,
        topic_id: new.forum_topic_id.unwrap_or_default(),
        ..SendMessageRequest::default()
    });
    let answer = services.messages().send_message(request).await?;
    let replayed = Replayed::of(&answer);
    let message_id = sent(answer.into_inner().message, "the stored message")?.id;
    let receipt = Integration::new("Message send successfully", Receipt { message_id });
    Ok((replayed, Json(receipt)))
}

/// A reply to send.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct NewReply {
    /// The message to reply to.
    #[serde(alias = "message_id")]
    message_id: String,
    /// 1 to 10,000 characters.
    message: String,
    /// As in Send Message.
    sender: Option<String>,
}

/// Replies to a message, in its channel and topic. A reply to a reply hangs on the same parent.
#[utoipa::path(
    post,
    path = "/messages/reply",
    tag = "Messaging",
    request_body(content = NewReply, example = json!({
        "messageId": "e50000000000000000000002", "message": "Very well!", "sender": "johndoe"
    })),
    responses((status = 200, description = "Stored", body = Integration<Receipt>, example = json!({
        "status": "success",
        "message": "Message reply successfully",
        "data": { "messageId": "e50000000000000000000003" }
    })))
)]
async fn reply(
    State(services): State<Services>,
    call: Call,
    Input(new): Input<NewReply>,
) -> Result<(Replayed, Json<Integration<Receipt>>)> {
    let request = call.request(ReplyMessageRequest {
        message: by_id(id::<MessageId>("messageId", &new.message_id)?),
        sender: new.sender.unwrap_or_default(),
        text: new.message,
        ..ReplyMessageRequest::default()
    });
    let answer = services.messages().reply_message(request).await?;
    let replayed = Replayed::of(&answer);
    let message_id = sent(answer.into_inner().message, "the stored reply")?.id;
    let receipt = Integration::new("Message reply successfully", Receipt { message_id });
    Ok((replayed, Json(receipt)))
}
