//! Typed ids: 24 lowercase hex, 48 bits of milliseconds and then 48 random bits.
//!
//! They promise no order: two made in one millisecond may sort either way.
//!
//! A text that is no id is a [`MalformedId`], which knows no field: a request's id is read with
//! [`parse`], which names the field of the request.

use std::{borrow::Cow, fmt, str::FromStr};

use guildhall_runtime::{Error, Reason, Result, Timestamp};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Twelve bytes, the value behind every typed id.
type Raw = [u8; 12];

fn generate() -> Raw {
    let mut raw = [0; 12];
    let millis = Timestamp::now().as_millis().to_be_bytes();
    raw[..6].copy_from_slice(&millis[2..]);
    // Without randomness the insert fails on the primary key: an error, never a mix-up.
    let _ = aws_lc_rs::rand::fill(&mut raw[6..]);
    raw
}

fn read(text: &str) -> Result<Raw, MalformedId> {
    let mut raw = [0; 12];
    hex::decode_to_slice(text, &mut raw).map_err(|_| MalformedId)?;
    Ok(raw)
}

/// A text that is not 24 hexadecimal characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MalformedId;

impl fmt::Display for MalformedId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an id must be 24 hexadecimal characters")
    }
}

impl std::error::Error for MalformedId {}

/// The id in a field of a request, by the path of the field.
///
/// # Errors
/// MALFORMED_ID.
pub fn parse<T: FromStr<Err = MalformedId>>(field: &str, text: &str) -> Result<T> {
    text.parse().map_err(|MalformedId| {
        let description = format!("{field} must be 24 hexadecimal characters");
        Error::violation(Reason::MalformedId, field, description)
    })
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident,)*) => { $(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Raw);

        impl $name {
            /// A new id.
            #[must_use]
            pub fn generate() -> Self {
                Self(generate())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut text = [0; 24];
                // The buffer is of the right length, so this cannot fail.
                let _ = hex::encode_to_slice(self.0, &mut text);
                f.write_str(std::str::from_utf8(&text).unwrap_or_default())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = MalformedId;

            /// Reads 24 hex of either case.
            fn from_str(text: &str) -> Result<Self, MalformedId> {
                read(text).map(Self)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = Cow::<'de, str>::deserialize(deserializer)?;
                read(&text).map(Self).map_err(|MalformedId| {
                    de::Error::invalid_value(de::Unexpected::Str(&text), &"24 hexadecimal characters")
                })
            }
        }

        #[cfg(feature = "database")]
        crate::database::stored_id!($name);
    )* };
}

ids! {
    /// A community, the tenant of everything.
    CommunityId,
    /// A user of one community.
    UserId,
    /// The person behind users of several communities; never shown.
    PersonId,
    /// A key, whatever its kind.
    KeyId,
    /// A channel.
    ChannelId,
    /// A topic of a forum channel.
    TopicId,
    /// A message.
    MessageId,
    /// A domain event.
    EventId,
    /// A webhook, outgoing or incoming.
    WebhookId,
    /// An event on its way to an outgoing webhook.
    DeliveryId,
    /// A workflow.
    WorkflowId,
    /// An e-mail.
    MailId,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ids_of_later_milliseconds_sort_later() {
        let first = UserId::generate();
        std::thread::sleep(std::time::Duration::from_millis(2));
        assert!(first < UserId::generate());
    }

    #[test]
    fn an_id_of_a_request_is_refused_under_the_name_of_its_field() {
        let refused = parse::<WebhookId>("settings.webhook_id", "x").unwrap_err();
        assert_eq!(refused.reason(), Reason::MalformedId);
        assert_eq!(refused.violations()[0].field, "settings.webhook_id");
    }

    proptest! {
        #[test]
        fn every_24_hex_is_an_id_and_reads_back_in_lower_case(text in "[0-9a-fA-F]{24}") {
            let id: MessageId = text.parse().unwrap();
            prop_assert_eq!(id.to_string(), text.to_lowercase());
        }

        #[test]
        fn nothing_else_is(text in "\\PC{0,40}") {
            let well_formed = text.len() == 24 && text.bytes().all(|b| b.is_ascii_hexdigit());
            prop_assert_eq!(text.parse::<MessageId>().is_ok(), well_formed);
        }
    }
}
