//! What messaging tells the rest of the platform, in the transaction of its cause.

use guildhall_data::{ChannelId, UserId};
use guildhall_events::outbox::NewEvent;
use guildhall_proto::events::v1::{MessagePosted, ReactionAdded, ReactionRemoved, event::Payload};
use guildhall_runtime::Timestamp;

use crate::store::{messages, reactions::Reaction};

/// A message or reply was stored.
#[must_use]
pub fn message_posted(message: &messages::Model) -> NewEvent {
    NewEvent {
        community: message.community_id,
        actor: text_of(message.user_id),
        partition_key: message.channel_id.to_string(),
        time: Timestamp::from_millis(message.created_at),
        payload: Payload::MessagePosted(MessagePosted {
            message_id: message.id.to_string(),
            channel_id: message.channel_id.to_string(),
            seq: message.seq,
            text: message.text.clone(),
            parent_id: text_of(message.parent_id),
            topic_id: text_of(message.topic_id),
        }),
    }
}

/// A reaction was added.
#[must_use]
pub fn reaction_added(reaction: &Reaction, channel: ChannelId, time: Timestamp) -> NewEvent {
    let added = ReactionAdded {
        message_id: reaction.message.to_string(),
        channel_id: channel.to_string(),
        emoji: reaction.emoji.to_string(),
    };
    reacted(reaction, channel, time, Payload::ReactionAdded(added))
}

/// A reaction was removed.
#[must_use]
pub fn reaction_removed(reaction: &Reaction, channel: ChannelId, time: Timestamp) -> NewEvent {
    let removed = ReactionRemoved {
        message_id: reaction.message.to_string(),
        channel_id: channel.to_string(),
        emoji: reaction.emoji.to_string(),
    };
    reacted(reaction, channel, time, Payload::ReactionRemoved(removed))
}

fn reacted(reaction: &Reaction, channel: ChannelId, time: Timestamp, payload: Payload) -> NewEvent {
    let user: UserId = reaction.user;
    NewEvent {
        community: reaction.community,
        actor: user.to_string(),
        partition_key: channel.to_string(),
        time,
        payload,
    }
}

fn text_of<T: ToString>(id: Option<T>) -> String {
    id.map(|id| id.to_string()).unwrap_or_default()
}
