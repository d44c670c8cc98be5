//! The events that messaging publishes. Each is written in the transaction of its cause.
//!
//! Nothing of a direct message leaves its channel (contract: settlements, "Messaging"): its events
//! have ids alone, so that who reads the broker learns no text.

use guildhall_data::UserId;
use guildhall_events::outbox::NewEvent;
use guildhall_proto::events::v1::{MessagePosted, ReactionAdded, ReactionRemoved, event::Payload};
use guildhall_runtime::{Timestamp, trace};
use guildhall_types::ProtoEnum as _;

use crate::{
    domain::{Channel, NewMessage},
    store::{messages, reactions::Reaction},
};

/// A message or reply was stored.
#[must_use]
pub fn message_posted(message: &NewMessage, row: &messages::Model) -> NewEvent {
    let channel = &message.channel;
    let details = message.content.details.as_ref();
    NewEvent {
        community: row.community_id,
        actor: text_of(row.user_id),
        partition_key: row.channel_id.to_string(),
        time: Timestamp::from_millis(row.created_at),
        traceparent: message.traceparent.clone(),
        payload: Payload::MessagePosted(MessagePosted {
            message_id: row.id.to_string(),
            channel_id: row.channel_id.to_string(),
            seq: row.seq,
            text: unless_direct(channel, || row.text.clone()),
            parent_id: text_of(row.parent_id),
            topic_id: text_of(row.topic_id),
            channel_name: unless_direct(channel, || channel.topic.clone()),
            channel_type: channel.kind.to_proto().into(),
            attachments: unless_direct(channel, || {
                details.map_or_else(Vec::new, |it| it.files.clone())
            }),
            incoming_webhook_id: text_of(message.webhook),
        }),
    }
}

/// A reaction was added.
#[must_use]
pub fn reaction_added(reaction: &Reaction, channel: &Channel, time: Timestamp) -> NewEvent {
    let added = ReactionAdded {
        message_id: reaction.message.to_string(),
        channel_id: channel.id.to_string(),
        emoji: unless_direct(channel, || reaction.emoji.to_string()),
        channel_name: unless_direct(channel, || channel.topic.clone()),
        channel_type: channel.kind.to_proto().into(),
    };
    reacted(reaction, channel, time, Payload::ReactionAdded(added))
}

/// A reaction was removed.
#[must_use]
pub fn reaction_removed(reaction: &Reaction, channel: &Channel, time: Timestamp) -> NewEvent {
    let removed = ReactionRemoved {
        message_id: reaction.message.to_string(),
        channel_id: channel.id.to_string(),
        emoji: unless_direct(channel, || reaction.emoji.to_string()),
        channel_name: unless_direct(channel, || channel.topic.clone()),
        channel_type: channel.kind.to_proto().into(),
    };
    reacted(reaction, channel, time, Payload::ReactionRemoved(removed))
}

fn reacted(reaction: &Reaction, channel: &Channel, time: Timestamp, payload: Payload) -> NewEvent {
    let user: UserId = reaction.user;
    NewEvent {
        community: reaction.community,
        actor: user.to_string(),
        partition_key: channel.id.to_string(),
        time,
        traceparent: trace::traceparent(),
        payload,
    }
}

/// What members wrote, where an event may hold it; else nothing.
fn unless_direct<T: Default>(channel: &Channel, content: impl FnOnce() -> T) -> T {
    match channel.is_direct() {
        true => T::default(),
        false => content(),
    }
}

fn text_of<T: ToString>(id: Option<T>) -> String {
    id.map(|id| id.to_string()).unwrap_or_default()
}
