//! The content of a message.

use guildhall_proto::messaging::v1::{EncryptedPayload, MessageDetails, MessageKind as Kind};
use guildhall_runtime::{Error, Reason, Result};
use guildhall_types::{ProtoEnum as _, proto_enum, text::optional};
use prost::Message;
use sea_orm::{DeriveActiveEnum, EnumIter};

use super::{file_reference, text};

/// The most bytes that the fields of the facades may take together, encoded.
const MAX_DETAILS: usize = 64 * 1024;
/// The longest `custom_type` (contract: sendbird, part 2).
const MAX_CUSTOM_TYPE: usize = 128;
/// The one scheme of end-to-end encryption (contract: mudbase, part 2).
const ENCRYPTION_SCHEME: &str = "mudbase-e2ee-v1";

/// The kind of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "i16", db_type = "SmallInteger")]
pub enum MessageKind {
    /// Text.
    #[sea_orm(num_value = 1)]
    Text,
    /// An image.
    #[sea_orm(num_value = 2)]
    Image,
    /// A video.
    #[sea_orm(num_value = 3)]
    Video,
    /// A sound.
    #[sea_orm(num_value = 4)]
    Audio,
    /// A file.
    #[sea_orm(num_value = 5)]
    File,
    /// A location.
    #[sea_orm(num_value = 6)]
    Location,
    /// A contact.
    #[sea_orm(num_value = 7)]
    Contact,
    /// An administrative message, without an author.
    #[sea_orm(num_value = 8)]
    Admin,
}

proto_enum!(MessageKind as Kind {
    Text, Image, Video, Audio, File, Location, Contact, Admin,
});

impl MessageKind {
    /// Reads the kind of a request: text when it names none.
    ///
    /// # Errors
    /// INVALID_VALUE for a kind that is not known.
    pub fn of_request(kind: i32) -> Result<Self> {
        Ok(Self::read("kind", kind)?.unwrap_or(Self::Text))
    }
}

/// The content of a message, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Content {
    /// The text as sent; may be empty when it is encrypted or has files.
    pub text: String,
    /// Its kind.
    pub kind: MessageKind,
    /// Fields of the facades; none when all have their defaults.
    pub details: Option<MessageDetails>,
}

impl Content {
    /// Checks the content of a request.
    ///
    /// # Errors
    /// MISSING_FIELD, VALUE_TOO_LONG or INVALID_VALUE of the field that is wrong.
    pub fn new(text: String, kind: MessageKind, details: Option<MessageDetails>) -> Result<Self> {
        let details = details.filter(|details| *details != MessageDetails::default());
        if let Some(details) = &details {
            check_details(details)?;
        }
        let content = Self {
            text,
            kind,
            details,
        };
        match content.encrypted() {
            Some(payload) => check_encrypted(payload, &content)?,
            None if content.text.is_empty() && content.has_files() => {}
            None => text::message(&content.text)?,
        }
        Ok(content)
    }

    /// The payload that replaces the text.
    #[must_use]
    pub fn encrypted(&self) -> Option<&EncryptedPayload> {
        self.details.as_ref()?.encrypted.as_ref()
    }

    fn has_files(&self) -> bool {
        self.details
            .as_ref()
            .is_some_and(|details| !details.files.is_empty())
    }
}

fn check_details(details: &MessageDetails) -> Result<()> {
    if details.encoded_len() > MAX_DETAILS {
        return Err(Error::violation(
            Reason::ValueTooLong,
            "details",
            "details must be at most 64 KiB together",
        ));
    }
    optional("details.custom_type", &details.custom_type, MAX_CUSTOM_TYPE)?;
    file_reference::check(&details.files)?;
    match details.mention_type.as_str() {
        "" | "users" | "channel" => Ok(()),
        _ => Err(Error::invalid(
            "details.mention_type",
            "details.mention_type must be users or channel",
        )),
    }
}

fn check_encrypted(payload: &EncryptedPayload, content: &Content) -> Result<()> {
    if !content.text.is_empty() {
        return Err(Error::invalid(
            "text",
            "Send a text or an encrypted payload, not both",
        ));
    }
    if content.kind != MessageKind::Text {
        return Err(Error::invalid("kind", "Only text can be encrypted"));
    }
    if payload.scheme != ENCRYPTION_SCHEME {
        return Err(Error::invalid(
            "details.encrypted.scheme",
            format!("details.encrypted.scheme must be {ENCRYPTION_SCHEME}"),
        ));
    }
    if payload.ciphertext.is_empty() {
        return Err(Error::missing("details.encrypted.ciphertext"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use guildhall_proto::messaging::v1::FileReference;

    use super::*;

    fn encrypted() -> MessageDetails {
        MessageDetails {
            encrypted: Some(EncryptedPayload {
                version: 1,
                scheme: ENCRYPTION_SCHEME.into(),
                ciphertext: "aGk=".into(),
                ..EncryptedPayload::default()
            }),
            ..MessageDetails::default()
        }
    }

    fn refusal(text: &str, kind: MessageKind, details: MessageDetails) -> Option<String> {
        let error = Content::new(text.into(), kind, Some(details)).err()?;
        error
            .violations()
            .first()
            .map(|violation| violation.field.clone())
    }

    #[test]
    fn an_encrypted_message_is_a_text_without_text() {
        assert_eq!(refusal("", MessageKind::Text, encrypted()), None);
        assert_eq!(
            refusal("hi", MessageKind::Text, encrypted()).as_deref(),
            Some("text")
        );
        assert_eq!(
            refusal("", MessageKind::Image, encrypted()).as_deref(),
            Some("kind")
        );
        let mut unknown = encrypted();
        unknown.encrypted.as_mut().unwrap().scheme = "rot13".into();
        assert_eq!(
            refusal("", MessageKind::Text, unknown).as_deref(),
            Some("details.encrypted.scheme")
        );
        let mut empty = encrypted();
        empty.encrypted.as_mut().unwrap().ciphertext.clear();
        assert_eq!(
            refusal("", MessageKind::Text, empty).as_deref(),
            Some("details.encrypted.ciphertext")
        );
    }

    #[test]
    fn a_message_with_files_needs_no_text() {
        let files = MessageDetails {
            files: vec![FileReference {
                url: "https://example.com/a.png".into(),
                ..FileReference::default()
            }],
            ..MessageDetails::default()
        };
        assert_eq!(refusal("", MessageKind::File, files), None);
        let empty = MessageDetails::default();
        assert_eq!(
            refusal("", MessageKind::File, empty).as_deref(),
            Some("text")
        );
    }

    #[test]
    fn details_are_bounded_and_empty_ones_are_none() {
        let large = MessageDetails {
            data: "x".repeat(MAX_DETAILS),
            ..MessageDetails::default()
        };
        assert_eq!(
            refusal("a", MessageKind::Text, large).as_deref(),
            Some("details")
        );
        let named = MessageDetails {
            custom_type: "é".repeat(129),
            ..MessageDetails::default()
        };
        assert_eq!(
            refusal("a", MessageKind::Text, named).as_deref(),
            Some("details.custom_type")
        );
        let all = MessageDetails {
            mention_type: "all".into(),
            ..MessageDetails::default()
        };
        assert_eq!(
            refusal("a", MessageKind::Text, all).as_deref(),
            Some("details.mention_type")
        );
        let none = Content::new(
            "a".into(),
            MessageKind::Text,
            Some(MessageDetails::default()),
        );
        assert_eq!(none.unwrap().details, None);
    }
}
