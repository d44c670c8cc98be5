//! What can change: a type for each kind of signal.
//!
//! A new kind is a message in `proto/guildhall/events/v1/signal.proto` and a type here; nothing
//! else lists the kinds. Processes that do not know a kind yet ignore it.

use std::fmt::Debug;

use guildhall_proto::events::v1::{self as proto, signal::Kind};
use guildhall_types::{ChannelId, CommunityId, UserId};

/// A kind of signal.
pub trait Signal: Debug + Clone + PartialEq + Send + Sync + 'static {
    /// The form in which other processes receive it.
    fn to_wire(&self) -> Kind;

    /// Reads what another process sent; none for another kind, or for an id that cannot be read.
    fn from_wire(kind: &Kind) -> Option<Self>;
}

/// A key was changed or revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyChanged {
    /// SHA-256 of the key's text.
    pub digest: [u8; 32],
}

impl Signal for KeyChanged {
    fn to_wire(&self) -> Kind {
        Kind::KeyChanged(proto::KeyChanged {
            digest: self.digest.to_vec(),
        })
    }

    fn from_wire(kind: &Kind) -> Option<Self> {
        let Kind::KeyChanged(key) = kind else {
            return None;
        };
        let digest = key.digest.as_slice().try_into().ok()?;
        Some(Self { digest })
    }
}

/// A user's role changed, or their tokens were revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionChanged {
    /// The user's community.
    pub community: CommunityId,
    /// The user.
    pub user: UserId,
}

impl Signal for SessionChanged {
    fn to_wire(&self) -> Kind {
        Kind::SessionChanged(proto::SessionChanged {
            community_id: self.community.to_string(),
            user_id: self.user.to_string(),
        })
    }

    fn from_wire(kind: &Kind) -> Option<Self> {
        let Kind::SessionChanged(session) = kind else {
            return None;
        };
        Some(Self {
            community: session.community_id.parse().ok()?,
            user: session.user_id.parse().ok()?,
        })
    }
}

/// A channel's settings or topics changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChannelChanged {
    /// The channel's community.
    pub community: CommunityId,
    /// The channel.
    pub channel: ChannelId,
}

impl Signal for ChannelChanged {
    fn to_wire(&self) -> Kind {
        Kind::ChannelChanged(proto::ChannelChanged {
            community_id: self.community.to_string(),
            channel_id: self.channel.to_string(),
        })
    }

    fn from_wire(kind: &Kind) -> Option<Self> {
        let Kind::ChannelChanged(changed) = kind else {
            return None;
        };
        Some(Self {
            community: changed.community_id.parse().ok()?,
            channel: changed.channel_id.parse().ok()?,
        })
    }
}

/// Messages were stored in a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MessagesStored {
    /// The channel.
    pub channel: ChannelId,
}

impl Signal for MessagesStored {
    fn to_wire(&self) -> Kind {
        Kind::MessagesStored(proto::MessagesStored {
            channel_id: self.channel.to_string(),
        })
    }

    fn from_wire(kind: &Kind) -> Option<Self> {
        let Kind::MessagesStored(stored) = kind else {
            return None;
        };
        let channel = stored.channel_id.parse().ok()?;
        Some(Self { channel })
    }
}

/// The keys that JWTs are signed with were rotated or revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SigningKeysChanged;

impl Signal for SigningKeysChanged {
    fn to_wire(&self) -> Kind {
        Kind::SigningKeysChanged(proto::SigningKeysChanged {})
    }

    fn from_wire(kind: &Kind) -> Option<Self> {
        matches!(kind, Kind::SigningKeysChanged(_)).then_some(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn survives<S: Signal>(signal: S) {
        assert_eq!(S::from_wire(&signal.to_wire()), Some(signal));
    }

    #[test]
    fn every_kind_survives_the_wire() {
        let (community, user) = (CommunityId::generate(), UserId::generate());
        let channel = ChannelId::generate();
        survives(KeyChanged { digest: [7; 32] });
        survives(SessionChanged { community, user });
        survives(ChannelChanged { community, channel });
        survives(MessagesStored { channel });
        survives(SigningKeysChanged);
    }

    #[test]
    fn another_kind_and_an_unreadable_id_are_ignored() {
        let short = Kind::KeyChanged(proto::KeyChanged { digest: vec![7; 3] });
        assert_eq!(KeyChanged::from_wire(&short), None);
        assert_eq!(MessagesStored::from_wire(&short), None);
        assert_eq!(SigningKeysChanged::from_wire(&short), None);
    }
}
