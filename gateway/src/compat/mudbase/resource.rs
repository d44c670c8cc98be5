//! A message as the facade's callers write and read it.

use guildhall_proto::messaging::v1::{EncryptedPayload, Message, MessageDetails, MessageKind};
use guildhall_runtime::Error;
use guildhall_types::{UserId, id};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    bounded::Bounded,
    failure::Result,
    moment::{iso, iso_null},
    schema::{MessageText, Moment, ObjectId},
};

/// What a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = MudbaseMessageType)]
enum ChatMessageType {
    Text,
    Image,
    Video,
    Audio,
    File,
    Location,
    Contact,
}

impl From<ChatMessageType> for MessageKind {
    fn from(kind: ChatMessageType) -> Self {
        match kind {
            ChatMessageType::Text => Self::Text,
            ChatMessageType::Image => Self::Image,
            ChatMessageType::Video => Self::Video,
            ChatMessageType::Audio => Self::Audio,
            ChatMessageType::File => Self::File,
            ChatMessageType::Location => Self::Location,
            ChatMessageType::Contact => Self::Contact,
        }
    }
}

impl From<MessageKind> for ChatMessageType {
    /// The facade has no type for messages of the administration: they are texts.
    fn from(kind: MessageKind) -> Self {
        match kind {
            MessageKind::Unspecified | MessageKind::Text | MessageKind::Admin => Self::Text,
            MessageKind::Image => Self::Image,
            MessageKind::Video => Self::Video,
            MessageKind::Audio => Self::Audio,
            MessageKind::File => Self::File,
            MessageKind::Location => Self::Location,
            MessageKind::Contact => Self::Contact,
        }
    }
}

/// A text that only its readers can decrypt; all parts base64.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = MudbaseEncrypted)]
struct EndToEndEncrypted {
    #[schema(inline)]
    version: Bounded<-2_147_483_648, 2_147_483_647>,
    scheme: Scheme,
    #[schema(min_length = 1)]
    ciphertext: String,
    nonce: String,
    ephemeral_public_key: String,
    sender_key_id: String,
}

/// The one scheme that there is.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[schema(as = MudbaseEncryptionScheme)]
enum Scheme {
    #[serde(rename = "mudbase-e2ee-v1")]
    Version1,
}

impl From<EndToEndEncrypted> for EncryptedPayload {
    fn from(payload: EndToEndEncrypted) -> Self {
        Self {
            version: i32::try_from(payload.version.get()).unwrap_or_default(),
            scheme: match payload.scheme {
                Scheme::Version1 => "mudbase-e2ee-v1".to_owned(),
            },
            ciphertext: payload.ciphertext,
            nonce: payload.nonce,
            ephemeral_public_key: payload.ephemeral_public_key,
            sender_key_id: payload.sender_key_id,
        }
    }
}

impl From<EncryptedPayload> for EndToEndEncrypted {
    fn from(payload: EncryptedPayload) -> Self {
        Self {
            version: Bounded::clamped(payload.version.into()),
            scheme: Scheme::Version1,
            ciphertext: payload.ciphertext,
            nonce: payload.nonce,
            ephemeral_public_key: payload.ephemeral_public_key,
            sender_key_id: payload.sender_key_id,
        }
    }
}

/// A message to send: with exactly one of `content` and `e2ee`.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = MudbaseNewMessage)]
pub struct NewChatMessage {
    #[serde(rename = "type")]
    kind: ChatMessageType,
    #[schema(value_type = Option<MessageText>)]
    content: Option<String>,
    /// The message to reply to.
    #[schema(value_type = Option<ObjectId>)]
    pub reply_to: Option<String>,
    /// Ids of users.
    #[schema(value_type = Option<Vec<ObjectId>>)]
    mentions: Option<Vec<String>>,
    /// Of texts only.
    e2ee: Option<EndToEndEncrypted>,
}

/// What is sent.
#[derive(Debug)]
pub struct Content {
    pub kind: MessageKind,
    pub text: String,
    pub details: MessageDetails,
}

impl NewChatMessage {
    /// A text.
    pub fn example() -> Self {
        Self {
            kind: ChatMessageType::Text,
            content: Some("Hello everyone".into()),
            reply_to: None,
            mentions: None,
            e2ee: None,
        }
    }

    /// Checks that it is either open or encrypted.
    pub fn content(self) -> Result<Content> {
        match (&self.content, &self.e2ee) {
            (None, None) => return Err(Error::missing("content").into()),
            (Some(_), Some(_)) => {
                let message = "content and e2ee exclude each other";
                return Err(Error::invalid("e2ee", message).into());
            }
            (None, Some(_)) if self.kind != ChatMessageType::Text => {
                let message = "e2ee can only be the content of a text";
                return Err(Error::invalid("e2ee", message).into());
            }
            (Some(_), None) | (None, Some(_)) => {}
        }
        for user in self.mentions.iter().flatten() {
            id::parse::<UserId>("mentions", user)?;
        }
        Ok(Content {
            kind: self.kind.into(),
            text: self.content.unwrap_or_default(),
            details: MessageDetails {
                mentioned_user_ids: self.mentions.unwrap_or_default(),
                encrypted: self.e2ee.map(Into::into),
                ..MessageDetails::default()
            },
        })
    }
}

/// A message.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = MudbaseMessage)]
pub struct ChatMessage {
    #[serde(rename = "_id")]
    #[schema(value_type = ObjectId)]
    id: String,
    /// Left out of encrypted messages.
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<String>,
    /// Null for messages of the administration.
    sender: Option<Sender>,
    #[schema(value_type = Moment)]
    created_at: String,
    #[serde(rename = "type")]
    kind: ChatMessageType,
    #[serde(skip_serializing_if = "Option::is_none")]
    reply_to: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    mentions: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    reactions: Vec<CountedReaction>,
    #[serde(skip_serializing_if = "Option::is_none")]
    edited_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    e2ee: Option<EndToEndEncrypted>,
}

/// Who wrote it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = MudbaseSender)]
struct Sender {
    #[serde(rename = "_id")]
    #[schema(value_type = ObjectId)]
    id: String,
    first_name: String,
}

/// How many members reacted with an emoji.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MudbaseCountedReaction)]
struct CountedReaction {
    emoji: String,
    count: i64,
}

impl From<Message> for ChatMessage {
    fn from(message: Message) -> Self {
        let kind = message.kind().into();
        let details = message.details.unwrap_or_default();
        let author = message.author.filter(|author| !author.user_id.is_empty());
        let reactions = message.reactions.into_iter();
        Self {
            id: message.id,
            content: details.encrypted.is_none().then_some(message.text),
            sender: author.map(|author| Sender {
                id: author.user_id,
                // A member without given name is called by their display name.
                first_name: if author.first_name.is_empty() {
                    author.display_name
                } else {
                    author.first_name
                },
            }),
            created_at: iso(message.create_time),
            kind,
            reply_to: message.parent.map(|parent| parent.id),
            mentions: message
                .mentions
                .into_iter()
                .map(|user| user.user_id)
                .collect(),
            reactions: reactions
                .map(|reaction| CountedReaction {
                    emoji: reaction.emoji,
                    count: reaction.count,
                })
                .collect(),
            edited_at: iso_null(message.edit_time),
            e2ee: details.encrypted.map(Into::into),
        }
    }
}

/// A message as it was stored.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = MudbaseSentMessage)]
pub struct SentMessage {
    #[serde(rename = "_id")]
    #[schema(value_type = ObjectId)]
    id: String,
    /// Left out of encrypted messages.
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<String>,
    /// The author's id.
    #[schema(value_type = ObjectId)]
    sender: String,
    #[schema(value_type = Moment)]
    created_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    e2ee: Option<EndToEndEncrypted>,
}

impl From<Message> for SentMessage {
    fn from(message: Message) -> Self {
        let encrypted = message.details.and_then(|details| details.encrypted);
        Self {
            id: message.id,
            content: encrypted.is_none().then_some(message.text),
            sender: message.author.unwrap_or_default().user_id,
            created_at: iso(message.create_time),
            e2ee: encrypted.map(Into::into),
        }
    }
}

#[cfg(test)]
mod tests {
    use guildhall_runtime::Reason;
    use serde_json::{Value, json};

    use super::*;

    fn content(body: Value) -> Result<Content> {
        serde_json::from_value::<NewChatMessage>(body)
            .unwrap()
            .content()
    }

    #[test]
    fn a_message_is_either_open_or_encrypted() {
        let e2ee = json!({
            "version": 1, "scheme": "mudbase-e2ee-v1", "ciphertext": "YQ==", "nonce": "Yg==",
            "ephemeralPublicKey": "Yw==", "senderKeyId": "k"
        });
        let open = content(
            json!({"type": "text", "content": "hi", "mentions": ["a00000000000000000000001"]}),
        )
        .unwrap();
        assert_eq!(
            (open.text.as_str(), open.details.mentioned_user_ids.len()),
            ("hi", 1)
        );
        let sealed = content(json!({"type": "text", "e2ee": e2ee})).unwrap();
        assert_eq!(sealed.details.encrypted.unwrap().ciphertext, "YQ==");

        let refused = |body| content(body).unwrap_err().error.reason();
        assert_eq!(refused(json!({"type": "text"})), Reason::MissingField);
        assert_eq!(
            refused(json!({"type": "text", "content": "hi", "e2ee": e2ee})),
            Reason::InvalidValue
        );
        assert_eq!(
            refused(json!({"type": "image", "e2ee": e2ee})),
            Reason::InvalidValue
        );
    }
}
