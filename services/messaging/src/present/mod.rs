//! How stored records look in answers: stored record → proto.

mod author;

use guildhall_proto::messaging::v1::{
    Author, Channel, Message, MessageDetails, ParentMessage, Reaction, ReactionCount, Topic,
};
use guildhall_runtime::{Error, Result, Timestamp};
use guildhall_types::ProtoEnum as _;
use prost::Message as _;

pub(crate) use self::author::{author, unknown_author};
use crate::{
    domain::emoji,
    store::{channels, messages, reactions::counts, topics},
};

/// A message in the channel named `channel_topic`, with its [`details`].
pub fn message(
    row: &messages::Model,
    channel_topic: &str,
    author: Option<Author>,
    reactions: Vec<ReactionCount>,
    details: Option<MessageDetails>,
    mentions: Vec<Author>,
) -> Message {
    Message {
        id: row.id.to_string(),
        number: row.number,
        channel_id: row.channel_id.to_string(),
        channel_topic: channel_topic.to_owned(),
        seq: row.seq,
        author: Some(author.unwrap_or_default()),
        text: row.text.clone(),
        kind: row.kind.to_proto().into(),
        parent: row
            .parent_id
            .zip(row.parent_number)
            .map(|(id, number)| ParentMessage {
                id: id.to_string(),
                number,
            }),
        topic_id: row.topic_id.map(|id| id.to_string()).unwrap_or_default(),
        details,
        reactions,
        reply_count: row.reply_count,
        last_reply_time: row.last_reply_at.map(time),
        create_time: Some(time(row.created_at)),
        edit_time: None,
        mentions,
    }
}

/// The details of a stored message.
///
/// # Errors
/// INTERNAL when they do not decode.
pub fn details(row: &messages::Model) -> Result<Option<MessageDetails>> {
    let details = row.details.as_deref().map(MessageDetails::decode);
    details.transpose().map_err(Error::internal)
}

/// The reactions of a message as it shows them, most used first.
#[must_use]
pub fn reaction_counts(mut rows: Vec<counts::Model>) -> Vec<ReactionCount> {
    rows.sort_by_key(|row| (std::cmp::Reverse(row.count), row.position));
    rows.into_iter()
        .map(|row| ReactionCount {
            emoji: row.emoji,
            count: row.count,
        })
        .collect()
}

/// The reactions with one emoji, with the members who are named for it.
#[must_use]
pub fn reaction(row: counts::Model, users: Vec<Author>) -> Reaction {
    Reaction {
        shortcode: emoji::shortcode(&row.emoji).to_owned(),
        emoji: row.emoji,
        count: row.count,
        users,
        update_time: Some(time(row.updated_at)),
    }
}

/// A channel with the ids of its members.
#[must_use]
pub fn channel(record: channels::Record) -> Channel {
    let ids = |users: Vec<_>| users.iter().map(ToString::to_string).collect();
    let row = record.channel;
    Channel {
        id: row.id.to_string(),
        topic: row.topic,
        r#type: row.kind.to_proto().into(),
        creator_number: row.creator_number,
        role_ids: Vec::new(),
        description: row.description,
        participant_ids: ids(record.participants),
        announcer_ids: ids(record.announcers),
        frozen: row.frozen,
        url: row.url.unwrap_or_default(),
        last_seq: row.last_seq,
        create_time: Some(time(row.created_at)),
        update_time: Some(time(row.updated_at)),
    }
}

/// A topic.
#[must_use]
pub fn topic(row: topics::Model) -> Topic {
    Topic {
        id: row.id.to_string(),
        channel_id: row.channel_id.to_string(),
        title: row.title,
        description: row.description,
        creator_id: row.creator_id.to_string(),
        closed: row.closed,
        pinned: row.pinned,
        create_time: Some(time(row.created_at)),
    }
}

fn time(millis: i64) -> prost_types::Timestamp {
    Timestamp::from_millis(millis).into()
}
