//! What a batch of messages writes, whatever the database.

use std::collections::{BTreeMap, HashMap};

use guildhall_data::{ChannelId, CommunityId, MessageId, failed, idempotency};
use guildhall_events::outbox::NewEvent;
use guildhall_proto::messaging::v1::Message;
use guildhall_runtime::Result;
use sea_orm::{DatabaseTransaction, ExprTrait, entity::prelude::*};

use super::{Item, Place};
use crate::{
    domain::access::{channel_not_found, message_not_found},
    events,
    store::{messages, sequences::Reserved},
};

/// What a batch asks of the counters.
pub(super) struct Wanted {
    /// Numbers in all.
    pub(super) numbers: i64,
    /// Messages of each channel, in the order in which channels are locked.
    pub(super) channels: BTreeMap<(CommunityId, ChannelId), i64>,
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
        };
        for item in items {
            let channel = (item.channel.community, item.channel.id);
            *wanted.channels.entry(channel).or_default() += 1;
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
            rows.events.push(events::message_posted(&row));
            rows.answers.extend(item.record(&message)?);
            rows.messages.push(row);
            shown.push(message);
        }
        Ok((rows, shown))
    }
}

/// Adds to the reply counters of the parents.
pub(super) async fn count_replies(
    transaction: &DatabaseTransaction,
    items: &[Item],
    moment: i64,
) -> Result<()> {
    let mut wanted: BTreeMap<(CommunityId, MessageId), i64> = BTreeMap::new();
    for item in items {
        if let Some((parent, _)) = item.parent {
            *wanted.entry((item.channel.community, parent)).or_default() += 1;
        }
    }
    for ((community, count), parents) in by_count(&wanted) {
        let expected = parents.len() as u64;
        let counted = messages::Entity::update_many()
            .col_expr(
                messages::Column::ReplyCount,
                Expr::col(messages::Column::ReplyCount).add(count),
            )
            .col_expr(messages::Column::LastReplyAt, Expr::val(moment))
            .filter(messages::Column::CommunityId.eq(community))
            .filter(messages::Column::Id.is_in(parents))
            .exec(transaction)
            .await
            .map_err(failed)?;
        if counted.rows_affected != expected {
            return Err(message_not_found());
        }
    }
    Ok(())
}

/// Rows to which the same is added share a statement.
pub(super) fn by_count<Id: Copy>(
    wanted: &BTreeMap<(CommunityId, Id), i64>,
) -> BTreeMap<(CommunityId, i64), Vec<Id>> {
    let mut groups: BTreeMap<_, Vec<Id>> = BTreeMap::new();
    for ((community, id), count) in wanted {
        groups.entry((*community, *count)).or_default().push(*id);
    }
    groups
}
