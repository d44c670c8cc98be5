//! Typed ids: 24 lowercase hex, 48 bits of milliseconds and then 48 random bits.
//!
//! They promise no order: two made in one millisecond may sort either way.

use std::{borrow::Cow, fmt, str::FromStr};

use guildhall_runtime::{Error, Reason, Timestamp};
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

fn parse(text: &str) -> Option<Raw> {
    let mut raw = [0; 12];
    hex::decode_to_slice(text, &mut raw).ok()?;
    Some(raw)
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident $field:literal,)*) => { $(
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
            type Err = Error;

            /// Reads 24 hex of either case.
            fn from_str(text: &str) -> Result<Self, Error> {
                parse(text).map(Self).ok_or_else(|| {
                    Error::violation(Reason::MalformedId, $field, concat!($field, " must be 24 hexadecimal characters"))
                })
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
                parse(&text).map(Self).ok_or_else(|| {
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
    CommunityId "communityId",
    /// A user of one community.
    UserId "userId",
    /// The person behind users of several communities; never shown.
    PersonId "personId",
    /// A key, whatever its kind.
    KeyId "apiKeyId",
    /// A channel.
    ChannelId "channelId",
    /// A topic of a forum channel.
    TopicId "forumTopicId",
    /// A message.
    MessageId "messageId",
    /// A domain event.
    EventId "eventId",
    /// A webhook, outgoing or incoming.
    WebhookId "webhookId",
    /// An event on its way to an outgoing webhook.
    DeliveryId "deliveryId",
    /// A workflow.
    WorkflowId "workflowId",
    /// An e-mail.
    MailId "mailId",
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
