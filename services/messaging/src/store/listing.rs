//! Pages of messages. Each reads along one index; conditions that no index covers are applied to the
//! rows read, whose number is bounded for each page.

use std::{collections::HashSet, sync::Arc};

use guildhall_data::{ChannelId, CommunityId, MessageId, Tenant, TopicId, UserId};
use guildhall_runtime::Result;
use sea_orm::{ConnectionTrait, QueryOrder, QuerySelect, Select, entity::prelude::*};

use super::messages::{self, Column, Entity, Model};

/// Rows that are read for one page at most; after that, the page is returned short.
const MAX_READ: usize = 5_000;
/// Rows that are read at a time when the first read did not fill the page.
const STEP: u64 = 500;
/// What the messages of a page hold at most, in bytes: a message more than fits begins the next page.
const MAX_BYTES: usize = 1024 * 1024;
/// Messages by which a page is longer than asked for at most, to end with a whole moment.
const MAX_MORE: usize = 1_000;

/// The index that a list reads along.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Along {
    /// The messages of a channel.
    Channel(ChannelId),
    /// Those of a topic.
    Topic(TopicId),
    /// The replies to a message.
    Parent(MessageId),
    /// The messages of a user, in direct-message channels or in all others.
    Author(UserId, Direct),
    /// All but direct messages.
    Community,
}

/// Which channels of a user are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direct {
    /// In direct-message channels.
    Only,
    /// In all others.
    Not,
}

impl Along {
    /// The column that orders it: `seq` within a channel, `number` across channels. Both give the
    /// same order.
    #[must_use]
    pub fn column(self) -> Column {
        match self {
            Self::Channel(_) | Self::Topic(_) | Self::Parent(_) => Column::Seq,
            Self::Author(..) | Self::Community => Column::Number,
        }
    }

    /// The position of a message in this order.
    #[must_use]
    pub fn position(self, message: &Model) -> i64 {
        self.position_of(message.seq, message.number)
    }

    /// The position of a message with this `seq` and `number`.
    #[must_use]
    pub fn position_of(self, seq: i64, number: i64) -> i64 {
        match self {
            Self::Channel(_) | Self::Topic(_) | Self::Parent(_) => seq,
            Self::Author(..) | Self::Community => number,
        }
    }

    /// All its rows.
    pub(super) fn rows(self, community: CommunityId) -> Select<Entity> {
        let rows = Entity::within(community);
        match self {
            Self::Channel(channel) => rows.filter(Column::ChannelId.eq(channel)),
            Self::Topic(topic) => rows.filter(Column::TopicId.eq(topic)),
            Self::Parent(parent) => rows.filter(Column::ParentId.eq(parent)),
            Self::Author(user, direct) => rows
                .filter(Column::UserId.eq(user))
                .filter(Column::Direct.eq(direct == Direct::Only)),
            Self::Community => rows.filter(Column::Direct.eq(false)),
        }
    }
}

/// Conditions that are applied to the rows read.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only this channel.
    pub channel: Option<ChannelId>,
    /// Only these channels.
    pub channels: Option<Arc<HashSet<ChannelId>>>,
    /// Only this topic.
    pub topic: Option<TopicId>,
    /// Only this author.
    pub user: Option<UserId>,
    /// No replies.
    pub top_level_only: bool,
    /// Encrypted messages as well.
    pub include_encrypted: bool,
}

impl Filter {
    fn keeps(&self, message: &Model) -> bool {
        self.channel.is_none_or(|only| only == message.channel_id)
            && self
                .channels
                .as_ref()
                .is_none_or(|only| only.contains(&message.channel_id))
            && self.topic.is_none_or(|only| Some(only) == message.topic_id)
            && self.user.is_none_or(|only| Some(only) == message.user_id)
            && !(self.top_level_only && message.parent_id.is_some())
            && (self.include_encrypted || !message.encrypted)
    }
}

/// Positions from `from`, before `to`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// The first.
    pub from: i64,
    /// The first after the range.
    pub to: i64,
}

impl Range {
    /// Every position.
    pub const ALL: Self = Self {
        from: 0,
        to: i64::MAX,
    };
}

/// Which end of a range comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// The newest.
    NewestFirst,
    /// The oldest.
    OldestFirst,
}

impl Direction {
    /// The part of a range after `position`, in this direction.
    #[must_use]
    pub fn after(self, position: i64, range: Range) -> Range {
        match self {
            Self::NewestFirst => Range {
                to: range.to.min(position),
                ..range
            },
            Self::OldestFirst => Range {
                from: range.from.max(position.saturating_add(1)),
                ..range
            },
        }
    }
}

/// A list of messages.
#[derive(Debug, Clone)]
pub struct Listing {
    /// The index that it reads along.
    pub along: Along,
    /// Conditions on its messages.
    pub filter: Filter,
    /// Where it begins and ends.
    pub range: Range,
    /// Which end it begins at.
    pub direction: Direction,
    /// Whether pages end with a whole moment.
    pub whole_moments: bool,
}

impl Listing {
    /// Where a page of `size` messages ends; none as long as more must be read to know it.
    fn end(&self, messages: &[Model], size: usize) -> Option<usize> {
        let size = size.min(messages::that_fit(messages, MAX_BYTES));
        if !self.whole_moments {
            return (messages.len() > size).then_some(size);
        }
        let last = messages.get(size.checked_sub(1)?)?.created_at;
        let mut more = messages[size..].iter();
        let more = more.position(|message| message.created_at != last);
        let longest = (messages.len() > size + MAX_MORE).then_some(MAX_MORE);
        more.or(longest).map(|more| size + more.min(MAX_MORE))
    }
}

/// A part of a list.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// Its messages, in the direction of the list.
    pub messages: Vec<Model>,
    /// The position after which the next page begins; none at the end of the list.
    pub next: Option<i64>,
}

/// The first `size` messages of a list; fewer when they are large.
///
/// # Errors
/// When a query fails.
pub async fn page(
    connection: &impl ConnectionTrait,
    community: CommunityId,
    listing: &Listing,
    size: usize,
) -> Result<Page> {
    let mut page = Page::default();
    let (mut range, mut read) = (listing.range, 0);
    // One row more than the page tells whether there is another page.
    let mut step = size as u64 + 1;
    loop {
        let query = query(community, listing, range, step);
        let rows = messages::all(connection, query).await?;
        let last = rows.last().map(|row| listing.along.position(row));
        let at_end = (rows.len() as u64) < step;
        read += rows.len();
        page.messages
            .extend(rows.into_iter().filter(|row| listing.filter.keeps(row)));
        if let Some(end) = listing.end(&page.messages, size) {
            page.messages.truncate(end);
            page.next = page.messages.last().map(|row| listing.along.position(row));
            return Ok(page);
        }
        let (false, Some(last)) = (at_end, last) else {
            return Ok(page);
        };
        if read >= MAX_READ {
            page.next = Some(last);
            return Ok(page);
        }
        range = listing.direction.after(last, range);
        step = STEP;
    }
}

fn query(community: CommunityId, listing: &Listing, range: Range, limit: u64) -> Select<Entity> {
    let column = listing.along.column();
    let rows = listing
        .along
        .rows(community)
        .filter(column.gte(range.from))
        .filter(column.lt(range.to))
        .limit(limit);
    match listing.direction {
        Direction::NewestFirst => rows.order_by_desc(column),
        Direction::OldestFirst => rows.order_by_asc(column),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::plan;

    #[tokio::test]
    async fn every_list_reads_along_its_index() {
        let user = UserId::generate();
        let cases = [
            (Along::Channel(ChannelId::generate()), "messages_by_channel"),
            (Along::Topic(TopicId::generate()), "messages_by_topic"),
            (Along::Parent(MessageId::generate()), "messages_by_parent"),
            (Along::Author(user, Direct::Only), "messages_by_author"),
            (Along::Author(user, Direct::Not), "messages_by_author"),
            (Along::Community, "messages_by_number"),
        ];
        for (along, index) in cases {
            for direction in [Direction::NewestFirst, Direction::OldestFirst] {
                let filter = Filter::default();
                let listing = Listing {
                    along,
                    filter,
                    range: Range::ALL,
                    direction,
                    whole_moments: false,
                };
                let query = query(CommunityId::generate(), &listing, Range::ALL, 10);
                plan::assert_runs_along(index, query).await;
            }
        }
    }
}
