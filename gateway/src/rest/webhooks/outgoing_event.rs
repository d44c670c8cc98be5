//! What outgoing webhooks tell of (contract: events, "Events").

use guildhall_proto::webhooks::v1::EventKind;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OutgoingEvent {
    UserJoinedCommunity,
    UserVisitedCommunity,
    MessagePosted,
    ChannelMessagePosted,
    StoreItemPurchased,
    CreateAnalysis,
    UpdateAnalysis,
    DeleteAnalysis,
    MessageEdited,
    MessageDeleted,
    ReactionAdded,
    ReactionRemoved,
    RedemptionStatusUpdated,
}

impl From<OutgoingEvent> for EventKind {
    fn from(event: OutgoingEvent) -> Self {
        match event {
            OutgoingEvent::UserJoinedCommunity => Self::UserJoinedCommunity,
            OutgoingEvent::UserVisitedCommunity => Self::UserVisitedCommunity,
            OutgoingEvent::MessagePosted => Self::MessagePosted,
            OutgoingEvent::ChannelMessagePosted => Self::ChannelMessagePosted,
            OutgoingEvent::StoreItemPurchased => Self::StoreItemPurchased,
            OutgoingEvent::CreateAnalysis => Self::CreateAnalysis,
            OutgoingEvent::UpdateAnalysis => Self::UpdateAnalysis,
            OutgoingEvent::DeleteAnalysis => Self::DeleteAnalysis,
            OutgoingEvent::MessageEdited => Self::MessageEdited,
            OutgoingEvent::MessageDeleted => Self::MessageDeleted,
            OutgoingEvent::ReactionAdded => Self::ReactionAdded,
            OutgoingEvent::ReactionRemoved => Self::ReactionRemoved,
            OutgoingEvent::RedemptionStatusUpdated => Self::RedemptionStatusUpdated,
        }
    }
}

impl OutgoingEvent {
    /// As a service names it; none for what has no name.
    pub fn of(kind: EventKind) -> Option<Self> {
        match kind {
            EventKind::Unspecified => None,
            EventKind::UserJoinedCommunity => Some(Self::UserJoinedCommunity),
            EventKind::UserVisitedCommunity => Some(Self::UserVisitedCommunity),
            EventKind::MessagePosted => Some(Self::MessagePosted),
            EventKind::ChannelMessagePosted => Some(Self::ChannelMessagePosted),
            EventKind::StoreItemPurchased => Some(Self::StoreItemPurchased),
            EventKind::CreateAnalysis => Some(Self::CreateAnalysis),
            EventKind::UpdateAnalysis => Some(Self::UpdateAnalysis),
            EventKind::DeleteAnalysis => Some(Self::DeleteAnalysis),
            EventKind::MessageEdited => Some(Self::MessageEdited),
            EventKind::MessageDeleted => Some(Self::MessageDeleted),
            EventKind::ReactionAdded => Some(Self::ReactionAdded),
            EventKind::ReactionRemoved => Some(Self::ReactionRemoved),
            EventKind::RedemptionStatusUpdated => Some(Self::RedemptionStatusUpdated),
        }
    }
}

/// As the RPCs carry events.
pub fn to_proto(events: Vec<OutgoingEvent>) -> Vec<i32> {
    let kinds = events.into_iter().map(EventKind::from);
    kinds.map(i32::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_name_and_is_found_by_it() {
        for number in 1..=13 {
            let kind = EventKind::try_from(number).unwrap();
            let event = OutgoingEvent::of(kind).unwrap();
            assert_eq!(EventKind::from(event), kind);
            let name = serde_json::to_value(event).unwrap();
            let full = kind.as_str_name().strip_prefix("EVENT_KIND_").unwrap();
            assert_eq!(name, full.to_lowercase());
        }
    }
}
