//! A message to send, as the facade's callers write it (contract: sendbird, "sb-messages-send").

use guildhall_proto::messaging::v1::{
    FileReference, MessageDetails, MessageKind, MetaArray, ReplyMessageRequest, SendMessageRequest,
};
use guildhall_runtime::{Error, Reason};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{FoundChannel, member};
use crate::{bounded::AtLeast, failure::Result};

/// The longest text, in characters.
const MAX_TEXT: usize = 5_000;

/// A message to send. Fields about push notifications are accepted and ignored.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = SendbirdNewMessage)]
pub struct NewMessage {
    message_type: MessageType,
    /// The author's username; not needed for `ADMM`.
    #[schema(max_length = 311, pattern = r"^[^\x00]*$")]
    user_id: Option<String>,
    /// At most 5,000 characters; not needed for `FILE`.
    #[schema(max_length = 5_000, pattern = r"^[^\x00]*$")]
    message: Option<String>,
    /// At most 128 characters.
    #[schema(max_length = 128, pattern = r"^[^\x00]*$")]
    custom_type: Option<String>,
    data: Option<String>,
    /// The same again in the same channel within 10 minutes answers the first message, and is refused for
    /// another one; at most 128 characters.
    #[schema(max_length = 128, pattern = r"^[^\x00]*$")]
    dedup_id: Option<String>,
    is_silent: Option<bool>,
    mention_type: Option<MentionType>,
    mentioned_user_ids: Option<Vec<String>>,
    sorted_metaarray: Option<Vec<NewMetaArray>>,
    /// For `FILE` alone.
    files: Option<Vec<NewFile>>,
    /// For `FILE`: the address of its one file, instead of `files`.
    url: Option<String>,
    file_name: Option<String>,
    file_type: Option<String>,
    #[schema(inline)]
    file_size: Option<AtLeast<0>>,
    /// The message to reply to.
    #[schema(inline)]
    parent_message_id: Option<AtLeast<1>>,
    is_reply_to_channel: Option<bool>,
    #[schema(ignore)]
    poll_id: Option<serde_json::Value>,
    #[schema(ignore)]
    created_at: Option<serde_json::Value>,
}

/// What it is.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
#[schema(as = SendbirdMessageType)]
enum MessageType {
    Mesg,
    File,
    Admm,
}

/// Who is notified.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = SendbirdMentionType)]
enum MentionType {
    Users,
    Channel,
}

/// Values under a key.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = SendbirdNewMetaArray)]
struct NewMetaArray {
    key: String,
    value: Vec<String>,
}

/// A file that lies elsewhere.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = SendbirdNewFile)]
struct NewFile {
    #[serde(alias = "file_url")]
    url: String,
    #[serde(alias = "file_name")]
    name: Option<String>,
    #[serde(rename = "type", alias = "file_type")]
    media_type: Option<String>,
    #[serde(alias = "file_size")]
    #[schema(inline)]
    size: Option<AtLeast<0>>,
}

impl From<NewFile> for FileReference {
    fn from(file: NewFile) -> Self {
        Self {
            url: file.url,
            name: file.name.unwrap_or_default(),
            r#type: file.media_type.unwrap_or_default(),
            size: file.size.map(AtLeast::get).unwrap_or_default(),
        }
    }
}

/// A message that may be sent.
#[derive(Debug)]
pub struct CheckedMessage {
    /// The message that it replies to.
    pub parent: Option<i64>,
    sender: String,
    text: String,
    kind: MessageKind,
    details: MessageDetails,
    dedup_id: String,
}

impl NewMessage {
    /// A text of a member.
    pub fn example() -> Self {
        Self {
            message_type: MessageType::Mesg,
            user_id: Some("ann".into()),
            message: Some("Hello everyone".into()),
            custom_type: None,
            data: None,
            dedup_id: None,
            is_silent: None,
            mention_type: None,
            mentioned_user_ids: None,
            sorted_metaarray: None,
            files: None,
            url: None,
            file_name: None,
            file_type: None,
            file_size: None,
            parent_message_id: None,
            is_reply_to_channel: None,
            poll_id: None,
            created_at: None,
        }
    }

    /// Checks what only the facade asks.
    pub fn checked(mut self) -> Result<CheckedMessage> {
        self.refuse_unknown()?;
        let parent = self.parent_message_id.map(AtLeast::get);
        let (kind, needs_user, needs_text) = match self.message_type {
            MessageType::Mesg => (MessageKind::Text, true, true),
            MessageType::File => (MessageKind::File, true, false),
            MessageType::Admm => (MessageKind::Admin, false, true),
        };
        let sender = required("user_id", self.user_id.take(), needs_user)?;
        let sender = member(&sender);
        let text = required("message", self.message.take(), needs_text)?;
        if text.chars().count() > MAX_TEXT {
            let message = format!("message must be at most {MAX_TEXT} characters");
            return Err(Error::violation(Reason::ValueTooLong, "message", message).into());
        }
        Ok(CheckedMessage {
            parent,
            sender,
            text,
            kind,
            dedup_id: self.dedup_id.take().unwrap_or_default(),
            details: self.details()?,
        })
    }

    /// What would be silently wrong if it were ignored.
    fn refuse_unknown(&self) -> Result<()> {
        let refuse = |field: &str, why: &str| Err(Error::invalid(field, why).into());
        if self.poll_id.is_some() {
            return refuse("poll_id", "poll_id: there are no polls here");
        }
        if self.created_at.is_some() {
            return refuse("created_at", "created_at cannot be chosen");
        }
        if self.is_reply_to_channel == Some(true) && self.parent_message_id.is_none() {
            let why = "is_reply_to_channel is for replies: parent_message_id is missing";
            return refuse("is_reply_to_channel", why);
        }
        Ok(())
    }

    /// The files of a `FILE`: a list of them, or the one that the message itself describes.
    fn take_files(&mut self) -> Result<Vec<NewFile>> {
        let files = self.files.take().filter(|files| !files.is_empty());
        let single = self.url.take();
        let described = [
            ("file_name", self.file_name.is_some()),
            ("file_type", self.file_type.is_some()),
            ("file_size", self.file_size.is_some()),
        ];
        let mut described = described.into_iter().filter(|(_, is_given)| *is_given);
        if let (None, Some((field, _))) = (&single, described.next()) {
            return Err(Error::invalid(field, format!("{field} describes the file at url")).into());
        }
        match (self.message_type, files, single) {
            (MessageType::Mesg | MessageType::Admm, None, None) => Ok(Vec::new()),
            (MessageType::Mesg | MessageType::Admm, files, _) => {
                let field = if files.is_some() { "files" } else { "url" };
                Err(Error::invalid(field, format!("{field} is for message_type FILE")).into())
            }
            (MessageType::File, None, None) => Err(Error::missing("files").into()),
            (MessageType::File, Some(_), Some(_)) => {
                Err(Error::invalid("url", "url and files exclude each other").into())
            }
            (MessageType::File, Some(files), None) => Ok(files),
            (MessageType::File, None, Some(url)) => Ok(vec![NewFile {
                url,
                name: self.file_name.take(),
                media_type: self.file_type.take(),
                size: self.file_size.take(),
            }]),
        }
    }

    fn details(mut self) -> Result<MessageDetails> {
        let files = self.take_files()?;
        let arrays = self.sorted_metaarray.unwrap_or_default().into_iter();
        Ok(MessageDetails {
            custom_type: self.custom_type.unwrap_or_default(),
            data: self.data.unwrap_or_default(),
            mention_type: match self.mention_type {
                None => String::new(),
                Some(MentionType::Users) => "users".to_owned(),
                Some(MentionType::Channel) => "channel".to_owned(),
            },
            mentioned_user_ids: {
                let names = self.mentioned_user_ids.unwrap_or_default();
                names.iter().map(|name| member(name)).collect()
            },
            sorted_metaarray: arrays
                .map(|array| MetaArray {
                    key: array.key,
                    values: array.value,
                })
                .collect(),
            files: files.into_iter().map(Into::into).collect(),
            silent: self.is_silent.unwrap_or(false),
            reply_to_channel: self.is_reply_to_channel.unwrap_or(false),
            encrypted: None,
        })
    }
}

fn required(field: &str, value: Option<String>, needed: bool) -> Result<String> {
    match value {
        None if needed => Err(Error::missing(field).into()),
        value => Ok(value.unwrap_or_default()),
    }
}

impl CheckedMessage {
    /// The request that sends it to a channel.
    pub fn to(self, channel: &FoundChannel) -> SendMessageRequest {
        SendMessageRequest {
            channel: channel.id.clone(),
            sender: self.sender,
            text: self.text,
            topic_id: String::new(),
            kind: self.kind.into(),
            details: Some(self.details),
            dedup_id: self.dedup_id,
        }
    }

    /// The request that sends it as a reply to a message of the channel.
    pub fn replying(self, channel: &FoundChannel, parent: i64) -> ReplyMessageRequest {
        ReplyMessageRequest {
            message: channel.message(parent),
            sender: self.sender,
            text: self.text,
            kind: self.kind.into(),
            details: Some(self.details),
            dedup_id: self.dedup_id,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn checked(body: Value) -> Result<CheckedMessage> {
        serde_json::from_value::<NewMessage>(body)
            .unwrap()
            .checked()
    }

    fn refused(body: Value) -> (Reason, String) {
        let error = checked(body).unwrap_err().error;
        (error.reason(), error.violations()[0].field.clone())
    }

    #[test]
    fn each_type_needs_its_own_fields() {
        let missing = |body| {
            let (reason, field) = refused(body);
            assert_eq!(reason, Reason::MissingField);
            field
        };
        assert_eq!(
            missing(json!({"message_type": "MESG", "message": "m"})),
            "user_id"
        );
        assert_eq!(
            missing(json!({"message_type": "MESG", "user_id": "u"})),
            "message"
        );
        assert_eq!(missing(json!({"message_type": "ADMM"})), "message");
        assert_eq!(
            missing(json!({"message_type": "FILE", "user_id": "u"})),
            "files"
        );
        let admin = checked(json!({"message_type": "ADMM", "message": "m"})).unwrap();
        assert_eq!(admin.kind, MessageKind::Admin);
    }

    #[test]
    fn a_file_is_named_in_either_spelling() {
        for body in [
            json!({"message_type": "FILE", "user_id": "u", "url": "https://x/a.png", "file_name": "a.png"}),
            json!({"message_type": "FILE", "user_id": "u", "files": [{"file_url": "https://x/a.png", "name": "a.png"}]}),
        ] {
            let files = checked(body).unwrap().details.files;
            assert_eq!(
                (files[0].url.as_str(), files[0].name.as_str()),
                ("https://x/a.png", "a.png")
            );
        }
    }

    #[test]
    fn what_cannot_be_honoured_is_refused() {
        let with = |field: &str, value: Value| {
            let mut body = json!({"message_type": "MESG", "user_id": "u", "message": "m"});
            body[field] = value;
            refused(body)
        };
        assert_eq!(
            with("poll_id", json!(1)),
            (Reason::InvalidValue, "poll_id".into())
        );
        assert_eq!(
            with("created_at", json!(1)),
            (Reason::InvalidValue, "created_at".into())
        );
        assert_eq!(
            with("message", json!("x".repeat(5_001))),
            (Reason::ValueTooLong, "message".into())
        );
        assert_eq!(
            with("files", json!([{"url": "https://x/a.png"}])),
            (Reason::InvalidValue, "files".into())
        );
        assert_eq!(
            with("is_reply_to_channel", json!(true)),
            (Reason::InvalidValue, "is_reply_to_channel".into())
        );
    }
}
