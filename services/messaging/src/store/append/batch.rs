//! What a batch of messages writes, whatever the database.

use std::collections::{BTreeMap, HashMap};

use guildhall_data::{ChannelId, CommunityId, MessageId, idempotency};
use guildhall_events::outbox::NewEvent;
use guildhall_proto::messaging::v1::Message;
use guildhall_runtime::Result;

use super::{Item, Place};
use crate::{
    domain::access::channel_not_found,
    events,
    store::{messages, sequences::Reserved},
};

/// What a batch adds to counters, in the order in which rows are locked.
pub(super) struct Wanted {
    /// Numbers in all.
    pub(super) numbers: i64,
    /// Messages of each channel.
    pub(super) channels: BTreeMap<(CommunityId, ChannelId), i64>,
    /// Replies to each message.
    pub(super) replies: BTreeMap<(CommunityId, MessageId), i64>,
}

/// What the counters gave.
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

impl Wanted {
    pub(super) fn of(items: &[Item]) -> Self {
        let mut wanted = Self {
            numbers: 0,
            channels: BTreeMap::new(),
            replies: BTreeMap::new(),
        };
        for item in items {
            let community = item.channel.community;
            let channel = (community, item.channel.id);
            *wanted.channels.entry(channel).or_default() += 1;
            if let Some((parent, _)) = item.parent {
                *wanted.replies.entry((community, parent)).or_default() += 1;
            }
            wanted.numbers += 1;
        }
        wanted
    }
}

impl Rows {
    /// The rows of a batch, and what its callers are answered.
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
        let mut shown = Vec::with_capacity(items.len());
        for (item, number) in items.iter().zip(reserved.first..) {
            let seq = last.get_mut(&item.channel.id);
            let seq = seq.ok_or_else(channel_not_found)?;
            *seq += 1;
            let row = item.row(Place {
                number,
                seq: *seq,
                created_at: reserved.moment,
            });
            let message = item.shown(&row)?;
            rows.events.push(events::message_posted(item, &row));
            rows.answers.extend(item.record(&message)?);
            rows.messages.push(row);
            shown.push(message);
        }
        Ok((rows, shown))
    }
}
