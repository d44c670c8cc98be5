//! The Sendbird Chat Platform API v3 (contract: sendbird).

mod extras;
pub mod messages;
mod new_message;
pub mod reactions;
mod resource;
mod window;

use guildhall_proto::messaging::v1::{
    ChannelType as Kind, GetChannelRequest, MessageReference, message_reference::Reference,
};
use guildhall_runtime::{Error, Reason};
use serde::{Deserialize, Serialize};
use utoipa::{
    ToSchema,
    openapi::{RefOr, Schema, path::Parameter},
};

use crate::{
    bounded::AtLeast,
    call::Call,
    envelope::FieldNames,
    failure::{Failure, Result, sent},
    schema::{in_path, one_of, positive_integer, text},
    upstream::{Channels, Services},
};

/// What callers call the fields of our RPCs.
const FIELDS: FieldNames = &[
    ("text", "message"),
    ("details.custom_type", "custom_type"),
    ("details.mention_type", "mention_type"),
    ("details.mentioned_user_ids", "mentioned_user_ids"),
    ("details.files", "files"),
    ("details", "data"),
    ("sender", "user_id"),
    ("user", "sender_id"),
    ("emoji", "reaction"),
    ("channel", "channel_url"),
    ("parent", "parent_message_id"),
];

/// The parameters of paths to the messages of a channel.
fn channel_parameters() -> Vec<Parameter> {
    let types = one_of(&["group_channels", "open_channels"]);
    parameters(
        "Direct messages and announcements are group channels, open channels are both.",
        types,
    )
}

/// The parameters of paths to the reactions of a message.
fn reaction_parameters() -> Vec<Parameter> {
    parameters(
        "Reactions are for group channels alone.",
        one_of(&["group_channels"]),
    )
}

fn parameters(about: &str, channel_types: RefOr<Schema>) -> Vec<Parameter> {
    vec![
        in_path("channel_type", about, channel_types),
        in_path("channel_url", "The channel's url or id", text()),
        in_path("message_id", "The message's integer id", positive_integer()),
    ]
}

/// The reference of a member: a `user_id` is their username, also when it is made of digits.
fn member(user_id: &str) -> String {
    if user_id.is_empty() {
        return String::new();
    }
    format!("username:{user_id}")
}

/// The two kinds of channels of the facade. An open channel of the community is shown as both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum ChannelType {
    GroupChannels,
    OpenChannels,
}

impl ChannelType {
    /// The name in message resources.
    fn name(self) -> &'static str {
        match self {
            Self::GroupChannels => "group",
            Self::OpenChannels => "open",
        }
    }
}

/// `{channel_type}/{channel_url}` of a path.
#[derive(Debug, Deserialize)]
struct ChannelPath {
    channel_type: String,
    channel_url: String,
}

/// `{channel_type}/{channel_url}/messages/{message_id}` of a path.
#[derive(Debug, Deserialize)]
struct MessagePath {
    channel_type: String,
    channel_url: String,
    message_id: String,
}

/// A channel as the caller names it.
#[derive(Debug)]
struct ChannelRef {
    channel_type: ChannelType,
    /// Its url or id.
    channel: String,
}

impl TryFrom<ChannelPath> for ChannelRef {
    type Error = Failure;

    fn try_from(path: ChannelPath) -> Result<Self> {
        let channel_type = match path.channel_type.as_str() {
            "group_channels" => ChannelType::GroupChannels,
            "open_channels" => ChannelType::OpenChannels,
            _ => {
                let message = "channel_type must be group_channels or open_channels";
                return Err(Error::invalid("channel_type", message).into());
            }
        };
        Ok(Self {
            channel_type,
            channel: path.channel_url,
        })
    }
}

impl ChannelRef {
    /// The channel, if the facade shows it as one of this type (contract: settlements, part 8).
    ///
    /// # Errors
    /// CHANNEL_NOT_FOUND.
    async fn find(self, services: &Services, call: &Call) -> Result<FoundChannel> {
        let channel = self.channel;
        let request = call.request(GetChannelRequest { channel });
        let answer = services.client::<Channels>().get_channel(request).await?;
        let channel = sent(answer.into_inner().channel, "a channel")?;
        let is_shown = match (channel.r#type(), self.channel_type) {
            (Kind::Open, ChannelType::GroupChannels | ChannelType::OpenChannels) => true,
            (Kind::Dm | Kind::Announcement, shown) => shown == ChannelType::GroupChannels,
            (Kind::Forum | Kind::Unspecified, _) => false,
        };
        if !is_shown {
            return Err(Error::new(Reason::ChannelNotFound, "Channel not found").into());
        }
        Ok(FoundChannel {
            channel_type: self.channel_type,
            id: channel.id,
            url: channel.url,
        })
    }
}

/// A channel that is there.
#[derive(Debug)]
struct FoundChannel {
    channel_type: ChannelType,
    id: String,
    /// Its url; empty when it was given none.
    url: String,
}

impl FoundChannel {
    /// What names it in answers, however the caller has named it.
    fn url(&self) -> &str {
        if self.url.is_empty() {
            &self.id
        } else {
            &self.url
        }
    }

    /// The message with this integer id, when it is in this channel.
    fn message(&self, number: i64) -> Option<MessageReference> {
        Some(MessageReference {
            reference: Some(Reference::Number(number)),
            channel: self.id.clone(),
            include_encrypted: false,
        })
    }
}

impl MessagePath {
    /// The channel and the message's integer id.
    fn parse(self) -> Result<(ChannelRef, i64)> {
        let number = AtLeast::<1>::parse("message_id", &self.message_id)?;
        let path = ChannelPath {
            channel_type: self.channel_type,
            channel_url: self.channel_url,
        };
        Ok((path.try_into()?, number.get()))
    }
}
