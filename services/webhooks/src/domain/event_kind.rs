//! What outgoing webhooks tell of (contract: events, "Events").

use guildhall_proto::webhooks::v1::EventKind as Proto;
use guildhall_runtime::{Error, Result};
use guildhall_types::{ProtoEnum as _, proto_enum};
use sea_orm::{DeriveActiveEnum, EnumIter, Iterable};

/// A kind of event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "i16", db_type = "SmallInteger")]
pub enum EventKind {
    /// `user_joined_community`
    #[sea_orm(num_value = 1)]
    UserJoinedCommunity,
    /// `user_visited_community`
    #[sea_orm(num_value = 2)]
    UserVisitedCommunity,
    /// `message_posted`: in any channel but direct messages.
    #[sea_orm(num_value = 3)]
    MessagePosted,
    /// `channel_message_posted`: in the channels chosen.
    #[sea_orm(num_value = 4)]
    ChannelMessagePosted,
    /// `store_item_purchased`
    #[sea_orm(num_value = 5)]
    StoreItemPurchased,
    /// `create_analysis`
    #[sea_orm(num_value = 6)]
    CreateAnalysis,
    /// `update_analysis`
    #[sea_orm(num_value = 7)]
    UpdateAnalysis,
    /// `delete_analysis`
    #[sea_orm(num_value = 8)]
    DeleteAnalysis,
    /// `message_edited`
    #[sea_orm(num_value = 9)]
    MessageEdited,
    /// `message_deleted`
    #[sea_orm(num_value = 10)]
    MessageDeleted,
    /// `reaction_added`
    #[sea_orm(num_value = 11)]
    ReactionAdded,
    /// `reaction_removed`
    #[sea_orm(num_value = 12)]
    ReactionRemoved,
    /// `redemption_status_updated`
    #[sea_orm(num_value = 13)]
    RedemptionStatusUpdated,
}

impl EventKind {
    /// Its name in payloads and headers.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::UserJoinedCommunity => "user_joined_community",
            Self::UserVisitedCommunity => "user_visited_community",
            Self::MessagePosted => "message_posted",
            Self::ChannelMessagePosted => "channel_message_posted",
            Self::StoreItemPurchased => "store_item_purchased",
            Self::CreateAnalysis => "create_analysis",
            Self::UpdateAnalysis => "update_analysis",
            Self::DeleteAnalysis => "delete_analysis",
            Self::MessageEdited => "message_edited",
            Self::MessageDeleted => "message_deleted",
            Self::ReactionAdded => "reaction_added",
            Self::ReactionRemoved => "reaction_removed",
            Self::RedemptionStatusUpdated => "redemption_status_updated",
        }
    }

    fn bit(self) -> i32 {
        1 << (self.to_proto() as i32)
    }
}

proto_enum!(EventKind as Proto {
    UserJoinedCommunity, UserVisitedCommunity, MessagePosted, ChannelMessagePosted,
    StoreItemPurchased, CreateAnalysis, UpdateAnalysis, DeleteAnalysis, MessageEdited,
    MessageDeleted, ReactionAdded, ReactionRemoved, RedemptionStatusUpdated,
});

/// A set of kinds: a bit for each, by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventKinds(i32);

impl EventKinds {
    /// Reads the kinds of a request; what is named twice counts once.
    ///
    /// # Errors
    /// MISSING_FIELD for none or an unspecified one, INVALID_VALUE for a kind that does not exist.
    pub fn parse(numbers: &[i32]) -> Result<Self> {
        let mut bits = 0;
        for (index, number) in numbers.iter().enumerate() {
            bits |= EventKind::require(&format!("events[{index}]"), *number)?.bit();
        }
        if bits == 0 {
            return Err(Error::missing("events"));
        }
        Ok(Self(bits))
    }

    /// The kinds behind the bits of a stored row.
    #[must_use]
    pub fn from_bits(bits: i32) -> Self {
        Self(bits)
    }

    /// A bit for each.
    #[must_use]
    pub fn bits(self) -> i32 {
        self.0
    }

    /// Whether `kind` is among them.
    #[must_use]
    pub fn contains(self, kind: EventKind) -> bool {
        self.0 & kind.bit() != 0
    }

    /// All of them, by their numbers.
    pub fn iter(self) -> impl Iterator<Item = EventKind> {
        EventKind::iter().filter(move |kind| self.contains(*kind))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_of_kinds_reads_back_whatever_its_order() {
        let kinds = EventKinds::parse(&[11, 3, 11]).unwrap();
        assert_eq!(kinds, EventKinds::parse(&[3, 11]).unwrap());
        assert_eq!(kinds, EventKinds::from_bits(kinds.bits()));
        let expected = [EventKind::MessagePosted, EventKind::ReactionAdded];
        assert_eq!(kinds.iter().collect::<Vec<_>>(), expected);
        for wrong in [&[][..], &[0], &[3, 99]] {
            assert!(EventKinds::parse(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn every_kind_is_one_of_the_protos() {
        for kind in EventKind::iter() {
            assert_eq!(EventKind::from_proto(kind.to_proto()), Some(kind));
            let name = format!("EVENT_KIND_{}", kind.name().to_uppercase());
            assert_eq!(kind.to_proto().as_str_name(), name);
        }
    }
}
