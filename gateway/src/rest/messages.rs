//! Messages (contract: messaging, "2. Messaging").

use axum::{Json, extract::State};
use guildhall_auth::CredentialKind;
use guildhall_proto::messaging::v1::{
    GetMessageRequest, Message, ReplyMessageRequest, SendMessageRequest,
};
use guildhall_runtime::{Error, Reason};
use guildhall_types::{ChannelId, MessageId, id};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    message_item::{MessageItem, by_id},
    message_list::{ListQuery, MessagePage},
};
use crate::{
    call::{Call, Replayed},
    endpoint::Endpoint,
    envelope::{FieldNames, integration::Integration},
    extract::{Input, Query, Segments},
    failure::{Result, sent},
    listing::{self, Listed, Part},
    sample,
    schema::{MessageText, ObjectId, UserReference},
    upstream::Messages,
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

/// Members come by JWT once the services hide the e-mail addresses of others from them (contract:
/// settlements, parts 6 and 7).
pub const MEMBERS: &[CredentialKind] = &[CredentialKind::Jwt];

pub fn endpoints() -> Vec<Endpoint> {
    const WRITE: &[Reason] = &[
        Reason::ChannelNotFound,
        Reason::UserNotFound,
        Reason::SenderNotAllowed,
        Reason::ChannelNotAllowed,
    ];
    vec![
        Endpoint::new("messages-list", list, example_page)
            .about("Messages, newest first.")
            .without(MEMBERS)
            .calls("/guildhall.messaging.v1.MessageService/ListMessages")
            .naming(ASKED)
            .refusing(&[Reason::ChannelNotFound, Reason::ChannelNotAllowed]),
        Endpoint::taking("messages-send", send, NewMessage::example, || {
            sent_message(sample::MESSAGE_ID.into())
        })
        .about("Sends a message as a member. It is on disk when the answer comes.")
        .without(MEMBERS)
        .calls("/guildhall.messaging.v1.MessageService/SendMessage")
        .naming(WRITTEN)
        .refusing(WRITE),
        Endpoint::taking("messages-reply", reply, NewReply::example, || {
            sent_reply(sample::MESSAGE_ID.into())
        })
        .about(
            "Replies to a message, in its channel and topic. A reply to a reply gets the same parent.",
        )
        .without(MEMBERS)
        .calls("/guildhall.messaging.v1.MessageService/ReplyMessage")
        .naming(WRITTEN)
        .refusing(WRITE),
        Endpoint::new("messages-get", get, || one(sample::message()))
            .about("One message.")
            .without(MEMBERS)
            .calls("/guildhall.messaging.v1.MessageService/GetMessage")
            .refusing(&[Reason::MessageNotFound, Reason::ChannelNotAllowed]),
    ]
}

async fn list(
    State(messages): State<Messages>,
    call: Call,
    Query(query): Query<ListQuery>,
) -> Result<Json<Integration<MessagePage>>> {
    let part = Part::up_to(query.count());
    let listed = listing::messages(&messages, &call, query.filters()?, part).await?;
    Ok(Json(page(listed, query.towards_newer())))
}

fn page(listed: Listed, towards_newer: bool) -> Integration<MessagePage> {
    let page = MessagePage::new(listed, towards_newer);
    Integration::new("messages fetched successfully", page)
}

fn example_page() -> Integration<MessagePage> {
    let messages = vec![sample::message()];
    let has_more = false;
    page(Listed { messages, has_more }, false)
}

async fn get(
    State(mut messages): State<Messages>,
    call: Call,
    Segments(message_id): Segments<String>,
) -> Result<Json<Integration<MessageItem>>> {
    let message = by_id(id::parse::<MessageId>("messageId", &message_id)?);
    let request = call.request(GetMessageRequest { message });
    let answer = messages.get_message(request).await?;
    let message = sent(answer.into_inner().message, "a message")?;
    Ok(Json(one(message)))
}

fn one(message: Message) -> Integration<MessageItem> {
    Integration::new("message fetched successfully", message.into())
}

/// A message to send.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct NewMessage {
    /// From the list of channels.
    #[schema(value_type = ObjectId)]
    channel_id: String,
    #[schema(value_type = MessageText)]
    message: String,
    /// The author. User keys write as their owner.
    #[schema(value_type = Option<UserReference>)]
    sender: Option<String>,
    /// The topic; required in forum channels. An empty one counts as left out.
    #[schema(pattern = "^([0-9a-fA-F]{24})?$")]
    forum_topic_id: Option<String>,
    #[schema(ignore)]
    attachments: Option<Vec<serde_json::Value>>,
}

impl NewMessage {
    fn example() -> Self {
        Self {
            channel_id: sample::CHANNEL_ID.into(),
            message: "Hello! How is everyone doing?".into(),
            sender: Some("ann@example.com".into()),
            forum_topic_id: None,
            attachments: None,
        }
    }
}

/// What was stored.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Receipt {
    #[schema(value_type = ObjectId)]
    message_id: String,
}

async fn send(
    State(mut messages): State<Messages>,
    call: Call,
    Input(new): Input<NewMessage>,
) -> Result<(Replayed, Json<Integration<Receipt>>)> {
    if new.attachments.is_some_and(|files| !files.is_empty()) {
        // No file has ever been given an id.
        return Err(Error::invalid("attachments", "attachments: unknown file id").into());
    }
    let request = call.request(SendMessageRequest {
        channel: id::parse::<ChannelId>("channelId", &new.channel_id)?.to_string(),
        sender: new.sender.unwrap_or_default(),
        text: new.message,
        topic_id: new.forum_topic_id.unwrap_or_default(),
        ..SendMessageRequest::default()
    });
    let answer = messages.send_message(request).await?;
    let replayed = Replayed::of(&answer);
    let message_id = sent(answer.into_inner().message, "the stored message")?.id;
    Ok((replayed, Json(sent_message(message_id))))
}

fn sent_message(message_id: String) -> Integration<Receipt> {
    Integration::new("Message send successfully", Receipt { message_id })
}

/// A reply to send.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct NewReply {
    /// The message to reply to.
    #[schema(value_type = ObjectId)]
    message_id: String,
    #[schema(value_type = MessageText)]
    message: String,
    /// As in Send Message.
    #[schema(value_type = Option<UserReference>)]
    sender: Option<String>,
}

impl NewReply {
    fn example() -> Self {
        Self {
            message_id: sample::MESSAGE_ID.into(),
            message: "Very well!".into(),
            sender: Some("ann".into()),
        }
    }
}

async fn reply(
    State(mut messages): State<Messages>,
    call: Call,
    Input(new): Input<NewReply>,
) -> Result<(Replayed, Json<Integration<Receipt>>)> {
    let request = call.request(ReplyMessageRequest {
        message: by_id(id::parse::<MessageId>("messageId", &new.message_id)?),
        sender: new.sender.unwrap_or_default(),
        text: new.message,
        ..ReplyMessageRequest::default()
    });
    let answer = messages.reply_message(request).await?;
    let replayed = Replayed::of(&answer);
    let message_id = sent(answer.into_inner().message, "the stored reply")?.id;
    Ok((replayed, Json(sent_reply(message_id))))
}

fn sent_reply(message_id: String) -> Integration<Receipt> {
    Integration::new("Message reply successfully", Receipt { message_id })
}
