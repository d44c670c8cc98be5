//! Where messages stand: a cursor nearly always names the first or the last message of a page that
//! was listed before.

use guildhall_data::{ChannelId, CommunityId, MessageId};

use crate::store::{listing::Along, messages};

/// Places that are remembered, of some hundred bytes each.
const CAPACITY: u64 = 50_000;

/// Where a message stands. It never moves, so what is remembered stays true.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    /// Its channel.
    pub channel: ChannelId,
    seq: i64,
    number: i64,
}

impl Place {
    /// Where it stands in this order.
    #[must_use]
    pub fn along(&self, along: Along) -> i64 {
        along.position_of(self.seq, self.number)
    }
}

impl From<&messages::Model> for Place {
    fn from(message: &messages::Model) -> Self {
        Self {
            channel: message.channel_id,
            seq: message.seq,
            number: message.number,
        }
    }
}

/// The places of messages that somebody may ask for next.
#[derive(Debug)]
pub struct Places(moka::sync::Cache<(CommunityId, MessageId), Place>);

impl Default for Places {
    fn default() -> Self {
        Self(moka::sync::Cache::new(CAPACITY))
    }
}

impl Places {
    /// Where a message stands, if it is remembered.
    #[must_use]
    pub fn get(&self, community: CommunityId, id: MessageId) -> Option<Place> {
        self.0.get(&(community, id))
    }

    /// Remembers where a message stands.
    pub fn remember(&self, message: &messages::Model) -> Place {
        let place = Place::from(message);
        self.0.insert((message.community_id, message.id), place);
        place
    }

    /// Remembers the ends of a page.
    pub fn remember_ends(&self, page: &[messages::Model]) {
        for message in page.first().into_iter().chain(page.last()) {
            self.remember(message);
        }
    }
}
