//! Signals as they travel between processes.

use guildhall_proto::events::v1::{self as proto, signal::Kind};

use crate::Signal;

/// Bytes of a batch at most; whatever is larger is not one of ours.
pub(crate) const MAX_BATCH: usize = 256 * 1024;

impl Signal {
    /// As it is sent; none for what only a listener's own process can tell it.
    pub(crate) fn to_wire(self) -> Option<proto::Signal> {
        let kind = match self {
            Self::KeyChanged { digest } => Kind::KeyChanged(proto::KeyChanged {
                digest: digest.to_vec(),
            }),
            Self::SessionChanged { community, user } => {
                Kind::SessionChanged(proto::SessionChanged {
                    community_id: community.to_string(),
                    user_id: user.to_string(),
                })
            }
            Self::ChannelChanged { community, channel } => {
                Kind::ChannelChanged(proto::ChannelChanged {
                    community_id: community.to_string(),
                    channel_id: channel.to_string(),
                })
            }
            Self::MessagesStored { channel } => Kind::MessagesStored(proto::MessagesStored {
                channel_id: channel.to_string(),
            }),
            Self::Missed => return None,
        };
        Some(proto::Signal { kind: Some(kind) })
    }

    /// What was received; none for a kind or an id that we do not know.
    pub(crate) fn from_wire(signal: proto::Signal) -> Option<Self> {
        Some(match signal.kind? {
            Kind::KeyChanged(key) => Self::KeyChanged {
                digest: key.digest.try_into().ok()?,
            },
            Kind::SessionChanged(session) => Self::SessionChanged {
                community: session.community_id.parse().ok()?,
                user: session.user_id.parse().ok()?,
            },
            Kind::ChannelChanged(channel) => Self::ChannelChanged {
                community: channel.community_id.parse().ok()?,
                channel: channel.channel_id.parse().ok()?,
            },
            Kind::MessagesStored(stored) => Self::MessagesStored {
                channel: stored.channel_id.parse().ok()?,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use guildhall_data::{ChannelId, CommunityId, UserId};

    use super::*;

    #[test]
    fn every_signal_survives_the_way() {
        let (community, user) = (CommunityId::generate(), UserId::generate());
        let channel = ChannelId::generate();
        for signal in [
            Signal::KeyChanged { digest: [7; 32] },
            Signal::SessionChanged { community, user },
            Signal::ChannelChanged { community, channel },
            Signal::MessagesStored { channel },
        ] {
            let sent = signal.to_wire().unwrap();
            assert_eq!(Signal::from_wire(sent), Some(signal));
        }
    }

    #[test]
    fn what_is_no_signal_is_ignored() {
        let short = proto::KeyChanged { digest: vec![7; 3] };
        for kind in [None, Some(Kind::KeyChanged(short))] {
            assert_eq!(Signal::from_wire(proto::Signal { kind }), None);
        }
    }
}
