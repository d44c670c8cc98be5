//! Who may read, write and react where (contract: messaging, "Message actions per channel kind").

use guildhall_auth::Authority;
use guildhall_runtime::{Error, Reason, Result};

use super::{Channel, ChannelKind, Member};

/// The error for a channel that is not there for this caller.
#[must_use]
pub fn channel_not_found() -> Error {
    Error::new(Reason::ChannelNotFound, "Channel not found")
}

/// The error for a message that is not there for this caller.
#[must_use]
pub fn message_not_found() -> Error {
    Error::new(Reason::MessageNotFound, "Message not found")
}

/// The error for a topic that is not there in the channel.
#[must_use]
pub fn topic_not_found() -> Error {
    Error::new(Reason::TopicNotFound, "Forum topic not found")
}

fn channel_not_allowed() -> Error {
    Error::new(
        Reason::ChannelNotAllowed,
        "This key may not access this channel",
    )
}

fn sender_not_allowed(message: &'static str) -> Error {
    Error::new(Reason::SenderNotAllowed, message)
}

/// Whether the caller may know a channel and read what is in it.
///
/// # Errors
/// CHANNEL_NOT_ALLOWED for a key that may not, CHANNEL_NOT_FOUND for a member whom the
/// direct-message channel does not concern.
pub fn may_read(caller: &Authority, channel: &Channel) -> Result<()> {
    match caller {
        Authority::UserKey { channels, .. } if !channels.allows(channel.id) => {
            return Err(channel_not_allowed());
        }
        Authority::SystemKey { .. }
        | Authority::CommunityKey { .. }
        | Authority::UserKey { .. }
        | Authority::Member { .. }
        | Authority::SendbirdToken { .. } => {}
    }
    if !channel.is_direct() {
        return Ok(());
    }
    match caller {
        Authority::SystemKey { .. } | Authority::SendbirdToken { .. } => Ok(()),
        // No participant stands behind it.
        Authority::CommunityKey { .. } => Err(channel_not_allowed()),
        Authority::UserKey { owner, .. } if channel.participants.contains(owner) => Ok(()),
        Authority::UserKey { .. } => Err(channel_not_allowed()),
        Authority::Member { user, .. } if channel.participants.contains(user) => Ok(()),
        Authority::Member { .. } => Err(channel_not_found()),
    }
}

/// Whether the caller may react in a channel as the member: every member may, in a
/// direct-message channel its participants.
///
/// # Errors
/// As [`may_read`], and SENDER_NOT_ALLOWED for a member who does not take part.
pub fn may_react(caller: &Authority, channel: &Channel, member: &Member) -> Result<()> {
    may_act(caller, channel)?;
    must_take_part(channel, member)
}

fn must_take_part(channel: &Channel, member: &Member) -> Result<()> {
    if channel.is_direct() && !channel.participants.contains(&member.id) {
        return Err(sender_not_allowed(
            "The sender does not take part in this channel",
        ));
    }
    Ok(())
}

/// Whether the caller may write in a channel as the author; none is the administration, which
/// speaks everywhere.
///
/// # Errors
/// As [`may_react`], and SENDER_NOT_ALLOWED or CHANNEL_FROZEN where only those who lead the
/// channel write.
pub fn may_write(caller: &Authority, channel: &Channel, author: Option<&Member>) -> Result<()> {
    may_act(caller, channel)?;
    author.map_or(Ok(()), |author| may_author(channel, author))
}

/// Whether the member may write in a channel, whoever passes his message on.
///
/// # Errors
/// SENDER_NOT_ALLOWED for a member who does not take part, SENDER_NOT_ALLOWED or CHANNEL_FROZEN
/// where only those who lead the channel write.
pub fn may_author(channel: &Channel, author: &Member) -> Result<()> {
    must_take_part(channel, author)?;
    if channel.is_led_by(author) {
        return Ok(());
    }
    if channel.frozen {
        return Err(Error::new(
            Reason::ChannelFrozen,
            "The channel is frozen: only announcers may write",
        ));
    }
    match channel.kind {
        ChannelKind::Announcement => Err(sender_not_allowed(
            "Only announcers may write in this channel",
        )),
        ChannelKind::Open | ChannelKind::Dm | ChannelKind::Forum => Ok(()),
    }
}

/// As [`may_read`]; but a community key acts for its senders, who are looked at instead.
fn may_act(caller: &Authority, channel: &Channel) -> Result<()> {
    match caller {
        Authority::CommunityKey { .. } => Ok(()),
        Authority::SystemKey { .. }
        | Authority::UserKey { .. }
        | Authority::Member { .. }
        | Authority::SendbirdToken { .. } => may_read(caller, channel),
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::HashSet, sync::Arc};

    use guildhall_auth::{ChannelLimit, Permissions, Role};
    use guildhall_data::{ChannelId, CommunityId, KeyId, UserId};
    use guildhall_proto::messaging::v1::Author;

    use super::*;

    struct Cast {
        insider: UserId,
        outsider: UserId,
    }

    impl Cast {
        fn new() -> Self {
            Self {
                insider: UserId::generate(),
                outsider: UserId::generate(),
            }
        }

        /// A channel in which the insider takes part and announces.
        fn channel(&self, kind: ChannelKind) -> Channel {
            Channel {
                community: CommunityId::generate(),
                id: ChannelId::generate(),
                topic: "Room".into(),
                kind,
                url: None,
                participants: HashSet::from([self.insider]),
                announcers: HashSet::from([self.insider]),
                frozen: false,
            }
        }
    }

    fn member(id: UserId, role: Role) -> Member {
        Member {
            active: true,
            id,
            role,
            author: Author::default(),
        }
    }

    fn community_key() -> Authority {
        let (key, maker) = (KeyId::generate(), UserId::generate());
        Authority::CommunityKey {
            key,
            maker,
            permissions: Permissions::default(),
        }
    }

    fn user_key(owner: UserId, channels: ChannelLimit) -> Authority {
        let key = KeyId::generate();
        Authority::UserKey {
            key,
            owner,
            permissions: Permissions::default(),
            channels,
        }
    }

    fn jwt(user: UserId) -> Authority {
        Authority::Member {
            user,
            role: Role::Member,
        }
    }

    fn sendbird() -> Authority {
        Authority::SendbirdToken {
            key: KeyId::generate(),
            maker: UserId::generate(),
        }
    }

    fn reason(result: Result<()>) -> Option<Reason> {
        result.err().map(|error| error.reason())
    }

    #[test]
    fn a_direct_channel_is_read_by_its_participants() {
        let cast = Cast::new();
        let dm = cast.channel(ChannelKind::Dm);
        let cases = [
            (jwt(cast.insider), None),
            (jwt(cast.outsider), Some(Reason::ChannelNotFound)),
            (user_key(cast.insider, ChannelLimit::Any), None),
            (
                user_key(cast.outsider, ChannelLimit::Any),
                Some(Reason::ChannelNotAllowed),
            ),
            (community_key(), Some(Reason::ChannelNotAllowed)),
            (sendbird(), None),
        ];
        for (caller, refusal) in cases {
            assert_eq!(reason(may_read(&caller, &dm)), refusal, "{caller:?}");
            assert_eq!(
                reason(may_read(&caller, &cast.channel(ChannelKind::Open))),
                None
            );
        }
    }

    #[test]
    fn a_limited_key_stays_in_its_channels() {
        let cast = Cast::new();
        let (open, other) = (
            cast.channel(ChannelKind::Open),
            cast.channel(ChannelKind::Open),
        );
        let only = ChannelLimit::Only(Arc::new(HashSet::from([open.id])));
        let (key, owner) = (
            user_key(cast.insider, only),
            member(cast.insider, Role::Owner),
        );
        assert_eq!(reason(may_read(&key, &open)), None);
        let refusals = [
            may_read(&key, &other),
            may_write(&key, &other, Some(&owner)),
        ];
        for refusal in refusals {
            assert_eq!(reason(refusal), Some(Reason::ChannelNotAllowed));
        }
    }

    #[test]
    fn who_may_write_and_react_where() {
        use ChannelKind::{Announcement, Dm, Forum, Open};
        let cast = Cast::new();
        let insider = member(cast.insider, Role::Member);
        let outsider = member(cast.outsider, Role::Member);
        let admin = member(cast.outsider, Role::Admin);
        let refused = Some(Reason::SenderNotAllowed);
        // Kind, sender, may write, may react.
        let cases = [
            (Open, &outsider, None, None),
            (Forum, &outsider, None, None),
            (Announcement, &outsider, refused, None),
            (Announcement, &insider, None, None),
            (Announcement, &admin, None, None),
            (Dm, &outsider, refused, refused),
            (Dm, &insider, None, None),
            (Dm, &admin, refused, refused),
        ];
        for (kind, sender, write, react) in cases {
            let channel = cast.channel(kind);
            for caller in [community_key(), sendbird()] {
                assert_eq!(
                    reason(may_write(&caller, &channel, Some(sender))),
                    write,
                    "{kind:?}"
                );
                assert_eq!(
                    reason(may_react(&caller, &channel, sender)),
                    react,
                    "{kind:?}"
                );
            }
        }
    }

    #[test]
    fn a_frozen_channel_takes_words_of_its_leaders_and_reactions_of_all() {
        let cast = Cast::new();
        let mut channel = cast.channel(ChannelKind::Open);
        channel.frozen = true;
        let (insider, outsider) = (
            member(cast.insider, Role::Member),
            member(cast.outsider, Role::Member),
        );
        let write = |sender| reason(may_write(&community_key(), &channel, sender));
        assert_eq!(write(Some(&insider)), None);
        assert_eq!(write(None), None, "the administration speaks everywhere");
        assert_eq!(write(Some(&outsider)), Some(Reason::ChannelFrozen));
        assert_eq!(
            reason(may_react(&community_key(), &channel, &outsider)),
            None
        );
    }
}
