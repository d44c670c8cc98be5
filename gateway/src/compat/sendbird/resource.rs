//! The message resource (contract: sendbird, "Message resource"). What the platform does not know
//! has neutral values.

use guildhall_proto::messaging::v1::{
    Author, FileReference, Message, MessageDetails, MessageKind, MetaArray, Reaction,
};
use guildhall_runtime::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::FoundChannel;

/// A message.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SendbirdMessage)]
pub struct MessageResource {
    message_id: i64,
    /// `MESG`, `FILE` or `ADMM`.
    #[serde(rename = "type")]
    #[schema(value_type = String)]
    kind: &'static str,
    custom_type: String,
    channel_url: String,
    /// `group` or `open`, as requested.
    #[schema(value_type = String)]
    channel_type: &'static str,
    /// Null for messages of the administration.
    user: Option<UserResource>,
    mention_type: String,
    mentioned_users: Vec<UserResource>,
    is_removed: bool,
    message: String,
    data: String,
    message_events: MessageEvents,
    translations: Nothing,
    /// Unix milliseconds.
    created_at: i64,
    /// Unix milliseconds; 0 when it was never edited.
    updated_at: i64,
    file: Attached,
    files: Vec<FileResource>,
    /// With `include_reactions` only.
    #[serde(skip_serializing_if = "Option::is_none")]
    reactions: Option<Vec<ReactionResource>>,
    /// In replies only.
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_message_id: Option<i64>,
    /// In replies, with `include_parent_message_info` only.
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_message_info: Option<ParentInfo>,
    /// With `include_thread_info` only.
    #[serde(skip_serializing_if = "Option::is_none")]
    thread_info: Option<ThreadInfo>,
    is_reply_to_channel: bool,
    sorted_metaarray: Vec<MetaArrayResource>,
    silent: bool,
    is_op_msg: bool,
    message_retention_hour: i32,
    message_survival_seconds: i32,
    require_auth: bool,
    req_id: String,
}

/// What a message shows only when it is asked for.
#[derive(Debug, Default)]
pub struct Extras {
    pub reactions: Option<Vec<ReactionResource>>,
    pub thread: Option<ThreadInfo>,
    pub parent: Option<Message>,
    pub with_metaarray: bool,
}

impl MessageResource {
    /// The resource of a message, with what was asked for beside it.
    pub fn new(message: Message, channel: &FoundChannel, extras: Extras) -> Self {
        let kind = kind_of(&message);
        let details = message.details.unwrap_or_default();
        let parent_message_id = message.parent.map(|parent| parent.number);
        Self {
            message_id: message.number,
            kind,
            channel_url: channel.url().to_owned(),
            channel_type: channel.channel_type.name(),
            user: message.author.and_then(UserResource::of),
            mention_type: named_or(details.mention_type, "users"),
            mentioned_users: message
                .mentions
                .into_iter()
                .filter_map(UserResource::of)
                .collect(),
            is_removed: false,
            message: message.text,
            message_events: MessageEvents::default(),
            translations: Nothing {},
            created_at: millis(message.create_time),
            updated_at: millis(message.edit_time),
            file: Attached::first(&details.files),
            files: details.files.into_iter().map(Into::into).collect(),
            reactions: extras.reactions,
            parent_message_info: extras.parent.map(ParentInfo::from),
            parent_message_id,
            thread_info: extras.thread,
            is_reply_to_channel: details.reply_to_channel,
            sorted_metaarray: if extras.with_metaarray {
                details
                    .sorted_metaarray
                    .into_iter()
                    .map(Into::into)
                    .collect()
            } else {
                Vec::new()
            },
            custom_type: details.custom_type,
            data: details.data,
            silent: details.silent,
            is_op_msg: false,
            message_retention_hour: -1,
            message_survival_seconds: -1,
            require_auth: false,
            req_id: String::new(),
        }
    }
}

fn kind_of(message: &Message) -> &'static str {
    match message.kind() {
        MessageKind::Unspecified
        | MessageKind::Text
        | MessageKind::Location
        | MessageKind::Contact => "MESG",
        MessageKind::Image | MessageKind::Video | MessageKind::Audio | MessageKind::File => "FILE",
        MessageKind::Admin => "ADMM",
    }
}

fn millis(at: Option<prost_types::Timestamp>) -> i64 {
    at.map(|at| Timestamp::from(at).as_millis())
        .unwrap_or_default()
}

fn named_or(name: String, otherwise: &str) -> String {
    if name.is_empty() {
        otherwise.to_owned()
    } else {
        name
    }
}

/// A member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = SendbirdUser)]
pub struct UserResource {
    /// Their username.
    pub user_id: String,
    nickname: String,
    profile_url: String,
    role: String,
    is_active: bool,
    is_blocked_by_me: bool,
    require_auth_for_profile_image: bool,
    metadata: Nothing,
}

impl UserResource {
    fn new(user_id: String, nickname: String, profile_url: String) -> Self {
        Self {
            user_id,
            nickname,
            profile_url,
            role: String::new(),
            is_active: true,
            is_blocked_by_me: false,
            require_auth_for_profile_image: false,
            metadata: Nothing {},
        }
    }

    /// The author of a message; administrative messages have none.
    pub fn of(author: Author) -> Option<Self> {
        (!author.user_id.is_empty())
            .then(|| Self::new(author.username, author.display_name, author.avatar))
    }
}

/// `{}`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SendbirdEmpty)]
struct Nothing {}

/// What a message sets off.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SendbirdMessageEvents)]
struct MessageEvents {
    #[schema(value_type = String)]
    send_push_notification: &'static str,
    update_unread_count: bool,
    update_mention_count: bool,
    update_last_message: bool,
}

impl Default for MessageEvents {
    fn default() -> Self {
        Self {
            send_push_notification: "receivers",
            update_unread_count: true,
            update_mention_count: true,
            update_last_message: true,
        }
    }
}

/// A file, named by its address.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = SendbirdFile)]
pub struct FileResource {
    url: String,
    name: String,
    #[serde(rename = "type")]
    media_type: String,
    size: i64,
}

impl From<FileReference> for FileResource {
    fn from(file: FileReference) -> Self {
        Self {
            url: file.url,
            name: file.name,
            media_type: file.r#type,
            size: file.size,
        }
    }
}

/// The first file, or `{}`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
#[schema(as = SendbirdFileOrEmpty)]
enum Attached {
    File(FileResource),
    Nothing(Nothing),
}

impl Attached {
    fn first(files: &[FileReference]) -> Self {
        match files.first() {
            Some(file) => Self::File(file.clone().into()),
            None => Self::Nothing(Nothing {}),
        }
    }
}

/// Values under a key.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SendbirdMetaArray)]
struct MetaArrayResource {
    key: String,
    value: Vec<String>,
}

impl From<MetaArray> for MetaArrayResource {
    fn from(array: MetaArray) -> Self {
        Self {
            key: array.key,
            value: array.values,
        }
    }
}

/// The reactions with one key.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SendbirdReaction)]
pub struct ReactionResource {
    key: String,
    /// Unix milliseconds.
    updated_at: i64,
    /// At most 100, first come first.
    user_ids: Vec<String>,
}

impl From<Reaction> for ReactionResource {
    fn from(reaction: Reaction) -> Self {
        Self {
            key: reaction_key(&reaction),
            updated_at: millis(reaction.update_time),
            user_ids: reaction
                .users
                .into_iter()
                .map(|user| user.username)
                .collect(),
        }
    }
}

/// The key under which a reaction is shown: its shortcode where one is known.
pub fn reaction_key(reaction: &Reaction) -> String {
    if reaction.shortcode.is_empty() {
        reaction.emoji.clone()
    } else {
        reaction.shortcode.clone()
    }
}

/// The message that a reply belongs to.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SendbirdParentInfo)]
struct ParentInfo {
    custom_type: String,
    message: String,
    #[serde(rename = "type")]
    #[schema(value_type = String)]
    kind: &'static str,
    /// Unix milliseconds.
    ts: i64,
    user: Option<UserResource>,
    file: Attached,
    files: Vec<FileResource>,
}

impl From<Message> for ParentInfo {
    fn from(message: Message) -> Self {
        let kind = kind_of(&message);
        let MessageDetails {
            custom_type, files, ..
        } = message.details.unwrap_or_default();
        Self {
            custom_type,
            message: message.text,
            kind,
            ts: millis(message.create_time),
            user: message.author.and_then(UserResource::of),
            file: Attached::first(&files),
            files: files.into_iter().map(Into::into).collect(),
        }
    }
}

/// A summary of a message's replies.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SendbirdThreadInfo)]
pub struct ThreadInfo {
    reply_count: i64,
    /// Who wrote most of the latest 20 replies, at most five.
    most_replies: Vec<UserResource>,
    /// Unix milliseconds; 0 without replies.
    last_replied_at: i64,
    /// Unix milliseconds; 0 without replies.
    updated_at: i64,
}

impl ThreadInfo {
    /// The summary of the replies to a message, of which `latest` came last, newest first.
    pub fn new(message: &Message, latest: Vec<Message>) -> Self {
        const MOST: usize = 5;
        let last_replied_at = millis(message.last_reply_time);
        let mut writers: Vec<(UserResource, usize)> = Vec::new();
        for user in latest
            .into_iter()
            .filter_map(|reply| UserResource::of(reply.author?))
        {
            match writers.iter_mut().find(|(writer, _)| *writer == user) {
                Some((_, replies)) => *replies += 1,
                None => writers.push((user, 1)),
            }
        }
        // Stable: of equals, who wrote last comes first.
        writers.sort_by_key(|(_, replies)| std::cmp::Reverse(*replies));
        Self {
            reply_count: message.reply_count,
            most_replies: writers
                .into_iter()
                .take(MOST)
                .map(|(user, _)| user)
                .collect(),
            last_replied_at,
            updated_at: last_replied_at,
        }
    }
}
