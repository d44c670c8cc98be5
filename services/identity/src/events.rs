//! What identity tells the rest of the platform, in the transaction of its cause.

use guildhall_data::{CommunityId, UserId};
use guildhall_events::outbox::NewEvent;
use guildhall_proto::events::v1::{MemberJoined, event::Payload};
use guildhall_runtime::{Timestamp, trace};

/// A user becomes a member of the community.
#[must_use]
pub fn member_joined(community: CommunityId, user: UserId) -> NewEvent {
    NewEvent {
        community,
        actor: user.to_string(),
        partition_key: user.to_string(),
        time: Timestamp::now(),
        traceparent: trace::traceparent(),
        payload: Payload::MemberJoined(MemberJoined {
            user_id: user.to_string(),
            by_bulk_import: false,
        }),
    }
}
