//! A cache of message positions: a cursor nearly always names the first or the last message of a
//! page that was listed before.

use guildhall_data::{ChannelId, CommunityId, MessageId};

use crate::store::{listing::Along, messages};

/// Cached positions, of some hundred bytes each.
const CAPACITY: u64 = 50_000;

/// The position of a message in every list. It never changes, so entries need no invalidation.
#[derive(Debug, Clone, Copy)]
pub struct Position {
    /// Its channel.
    pub channel: ChannelId,
    seq: i64,
    number: i64,
}

impl Position {
    /// Its position in this order.
    #[must_use]
    pub fn along(&self, along: Along) -> i64 {
        along.position_of(self.seq, self.number)
    }
}

impl From<&messages::Model> for Position {
    fn from(message: &messages::Model) -> Self {
        Self {
            channel: message.channel_id,
            seq: message.seq,
            number: message.number,
        }
    }
}

/// Positions of messages that are likely to be asked for next.
#[derive(Debug)]
pub struct PositionCache(moka::sync::Cache<(CommunityId, MessageId), Position>);

impl Default for PositionCache {
    fn default() -> Self {
        Self(moka::sync::Cache::new(CAPACITY))
    }
}

impl PositionCache {
    /// The position of a message, if it is cached.
    #[must_use]
    pub fn get(&self, community: CommunityId, id: MessageId) -> Option<Position> {
        self.0.get(&(community, id))
    }

    /// Caches the position of a message.
    pub fn insert(&self, message: &messages::Model) -> Position {
        let position = Position::from(message);
        self.0.insert((message.community_id, message.id), position);
        position
    }

    /// Caches the positions of the first and the last message of a page.
    pub fn insert_ends(&self, page: &[messages::Model]) {
        for message in page.first().into_iter().chain(page.last()) {
            self.insert(message);
        }
    }
}
