//! Turns the cursors of a request into a range of positions.

use guildhall_data::{ChannelId, CommunityId, MessageId, id};
use guildhall_proto::messaging::v1::{
    ListMessagesRequest, MessageCursor, message_cursor::Position,
};
use guildhall_runtime::{Error, Result, Timestamp};

use crate::{
    Messaging,
    cache::positions::Position as MessagePosition,
    domain::access::message_not_found,
    store::{
        listing::{Along, Range},
        messages::{self, Column},
        seek::{self, Key},
    },
};

/// The list that a position is looked up in.
#[derive(Clone, Copy)]
pub(super) struct Within {
    /// The community.
    pub(super) community: CommunityId,
    /// The one channel of the list, if it has one.
    pub(super) channel: Option<ChannelId>,
    /// The index that the list reads along.
    pub(super) along: Along,
}

impl Messaging {
    /// The positions between the bounds of a request.
    pub(super) async fn range(
        &self,
        within: Within,
        request: &ListMessagesRequest,
    ) -> Result<Range> {
        let (inclusive, mut range) = (request.inclusive, Range::ALL);
        if let Some(before) = &request.before {
            range.to = self.edge(within, before, "before", inclusive).await?;
        }
        if let Some(after) = &request.after {
            range.from = self.edge(within, after, "after", !inclusive).await?;
        }
        Ok(range)
    }

    /// The first position that is not before the cursor; or, with `beyond`, the first after it.
    async fn edge(
        &self,
        within: Within,
        cursor: &MessageCursor,
        field: &'static str,
        beyond: bool,
    ) -> Result<i64> {
        let beyond = i64::from(beyond);
        let key = match &cursor.position {
            None => return Err(Error::missing(field)),
            Some(Position::MessageId(id)) => {
                let id = id::parse(&format!("{field}.message_id"), id)?;
                return Ok(self.position_of(within, id).await?.saturating_add(beyond));
            }
            Some(Position::MessageNumber(number)) => Key::Number(number.saturating_add(beyond)),
            Some(Position::Time(time)) => {
                Key::Time(Timestamp::from(time).as_millis().saturating_add(beyond))
            }
        };
        if let (Key::Number(number), Column::Number) = (key, within.along.column()) {
            return Ok(number);
        }
        let connection = self.0.database.reader();
        seek::first_not_before(connection, within.community, within.along, key).await
    }

    async fn position_of(&self, within: Within, id: MessageId) -> Result<i64> {
        let position = self.cached_position(within.community, id).await?;
        let is_listed =
            |position: &MessagePosition| within.channel.is_none_or(|only| only == position.channel);
        position
            .filter(is_listed)
            .map(|position| position.along(within.along))
            .ok_or_else(message_not_found)
    }

    async fn cached_position(
        &self,
        community: CommunityId,
        id: MessageId,
    ) -> Result<Option<MessagePosition>> {
        if let Some(position) = self.0.positions.get(community, id) {
            return Ok(Some(position));
        }
        let message = messages::find(self.0.database.reader(), community, id).await?;
        Ok(message.map(|message| self.0.positions.insert(&message)))
    }
}
