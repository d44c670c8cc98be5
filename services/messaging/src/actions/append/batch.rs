//! What a batch of messages writes, on either database.

use std::collections::{BTreeMap, HashMap};

use guildhall_data::{ChannelId, CommunityId, MessageId, idempotency};
use guildhall_events::outbox::NewEvent;
use guildhall_proto::messaging::v1::Message;
use guildhall_runtime::Result;

use super::{Item, Position};
use crate::{
    domain::access::channel_not_found,
    events,
    store::{messages, sequences::Reserved},
};

/// What a batch adds to counters, in the order in which rows are locked.
pub(super) struct Increments {
    /// Message numbers to take.
    pub(super) numbers: i64,
    /// Messages of each channel.
    pub(super) channels: BTreeMap<(CommunityId, ChannelId), i64>,
    /// Replies to each message.
    pub(super) replies: BTreeMap<(CommunityId, MessageId), i64>,
}

/// The values that the counters had.
pub(super) struct Counted {
    pub(super) reserved: Reserved,
    /// The `seq` before the first message of each channel.
    pub(super) before: HashMap<ChannelId, i64>,
}

/// Rows that are stored together.
pub(super) struct Rows {
    pub(super) messages: Vec<messages::Model>,
    pub(super) events: Vec<NewEvent>,
    pub(super) answers: Vec<idempotency::entity::ActiveModel>,
}

impl Increments {
    pub(super) fn of(items: &[Item]) -> Self {
        let mut increments = Self {
            numbers: 0,
            channels: BTreeMap::new(),
            replies: BTreeMap::new(),
        };
        for item in items {
            let message = &item.message;
            let community = message.channel.community;
            let channel = (community, message.channel.id);
            *increments.channels.entry(channel).or_default() += 1;
            if let Some((parent, _)) = message.parent {
                *increments.replies.entry((community, parent)).or_default() += 1;
            }
            increments.numbers += 1;
        }
        increments
    }
}

impl Rows {
    /// The rows of a batch, and the message that each caller is answered with.
    pub(super) fn of(items: &[Item], counted: Counted) -> Result<(Self, Vec<Message>)> {
        let Counted {
            reserved,
            before: mut last,
        } = counted;
        let mut rows = Self {
            messages: Vec::with_capacity(items.len()),
            events: Vec::with_capacity(items.len()),
            answers: Vec::new(),
        };
        let mut responses = Vec::with_capacity(items.len());
        for (item, number) in items.iter().zip(reserved.first..) {
            let seq = last.get_mut(&item.message.channel.id);
            let seq = seq.ok_or_else(channel_not_found)?;
            *seq += 1;
            let row = item.row(Position {
                number,
                seq: *seq,
                created_at: reserved.moment,
            });
            let message = item.present(&row);
            rows.events
                .push(events::message_posted(&item.message, &row));
            rows.answers.extend(item.records(&message)?);
            rows.messages.push(row);
            responses.push(message);
        }
        Ok((rows, responses))
    }
}
