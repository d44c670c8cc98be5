//! A message, as the public contract shows it (contract: messaging, "messages-list").

use guildhall_proto::messaging::v1::{
    Message, MessageReference, ReactionCount, message_reference::Reference,
};
use guildhall_runtime::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::schema::{Moment, ObjectId};

/// A message.
#[derive(Debug, Serialize, ToSchema)]
pub struct MessageItem {
    #[schema(value_type = ObjectId)]
    id: String,
    /// The text.
    message: String,
    user: MessageUser,
    channel: MessageChannel,
    #[schema(value_type = Moment)]
    timestamp: String,
    /// The message that it replies to.
    #[schema(value_type = Option<ObjectId>)]
    parent_id: Option<String>,
    /// The topic, in forum channels.
    #[schema(value_type = Option<ObjectId>)]
    forum_topic_id: Option<String>,
    /// Always empty: files cannot be attached yet.
    #[schema(value_type = Vec<Object>)]
    attachments: [(); 0],
    reactions: Vec<EmojiCount>,
    /// Null when it was never edited.
    #[schema(value_type = Option<Moment>)]
    edited_at: Option<String>,
}

/// Who wrote it.
#[derive(Debug, Serialize, ToSchema)]
pub struct MessageUser {
    /// The small numeric id, as text.
    pub user_id: String,
    pub email: String,
}

/// The channel that it is in.
#[derive(Debug, Serialize, ToSchema)]
struct MessageChannel {
    #[schema(value_type = ObjectId)]
    channel_id: String,
    name: String,
}

/// How many members reacted with an emoji.
#[derive(Debug, Serialize, ToSchema)]
struct EmojiCount {
    emoji: String,
    count: i64,
}

impl From<ReactionCount> for EmojiCount {
    fn from(reaction: ReactionCount) -> Self {
        Self {
            emoji: reaction.emoji,
            count: reaction.count,
        }
    }
}

impl From<Message> for MessageItem {
    fn from(message: Message) -> Self {
        let author = message.author.unwrap_or_default();
        let iso = |at| Timestamp::from(at).to_iso();
        Self {
            id: message.id,
            message: message.text,
            user: MessageUser {
                user_id: author.number.to_string(),
                email: author.email,
            },
            channel: MessageChannel {
                channel_id: message.channel_id,
                name: message.channel_topic,
            },
            timestamp: message.create_time.map(iso).unwrap_or_default(),
            parent_id: message.parent.map(|parent| parent.id),
            forum_topic_id: Some(message.topic_id).filter(|id| !id.is_empty()),
            attachments: [],
            reactions: message.reactions.into_iter().map(Into::into).collect(),
            edited_at: message.edit_time.map(iso),
        }
    }
}

/// The message with this id, in whatever channel.
pub fn by_id(id: impl ToString) -> Option<MessageReference> {
    Some(MessageReference {
        reference: Some(Reference::Id(id.to_string())),
        channel: String::new(),
        include_encrypted: false,
    })
}
