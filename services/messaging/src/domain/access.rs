//! Who may read, write and react where (contract: messaging, "Message actions per channel kind").

use guildhall_auth::Authority;
use guildhall_directory::User;
use guildhall_runtime::{Error, Reason, Result};

use super::{Channel, ChannelKind};

/// The error for a channel that does not exist, or that the caller may not know of.
#[must_use]
pub fn channel_not_found() -> Error {
    Error::new(Reason::ChannelNotFound, "Channel not found")
}

/// The error for a message that does not exist, or that the caller may not know of.
#[must_use]
pub fn message_not_found() -> Error {
    Error::new(Reason::MessageNotFound, "Message not found")
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

/// Whether the caller may know of a channel and read its messages.
///
/// # Errors
/// CHANNEL_NOT_ALLOWED for a key that may not, CHANNEL_NOT_FOUND for a member who is not a
/// participant of the direct-message channel.
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
        // A community key belongs to no participant.
        Authority::CommunityKey { .. } => Err(channel_not_allowed()),
        Authority::UserKey { owner, .. } if channel.participants.contains(owner) => Ok(()),
        Authority::UserKey { .. } => Err(channel_not_allowed()),
        Authority::Member { user, .. } if channel.participants.contains(user) => Ok(()),
        Authority::Member { .. } => Err(channel_not_found()),
    }
}

/// Whether the caller may react in a channel as the member: every member may; in a direct-message
/// channel only its participants.
///
/// # Errors
/// As [`may_read`], and SENDER_NOT_ALLOWED for a member who is not a participant.
pub fn may_react(caller: &Authority, channel: &Channel, member: &User) -> Result<()> {
    may_act(caller, channel)?;
    must_take_part(channel, member)
}

fn must_take_part(channel: &Channel, member: &User) -> Result<()> {
    if channel.is_direct() && !channel.participants.contains(&member.id) {
        return Err(sender_not_allowed(
            "The sender does not take part in this channel",
        ));
    }
    Ok(())
}

/// Whether the caller may write in a channel as the author. Administrative messages, without an
/// author, may be written everywhere.
///
/// # Errors
/// As [`may_react`], and SENDER_NOT_ALLOWED or CHANNEL_FROZEN where only announcers and admins
/// write.
pub fn may_write(caller: &Authority, channel: &Channel, author: Option<&User>) -> Result<()> {
    may_act(caller, channel)?;
    author.map_or(Ok(()), |author| may_author(channel, author))
}

/// Whether the member may write in a channel, whoever the caller is.
///
/// # Errors
/// SENDER_NOT_ALLOWED for a member who is not a participant, SENDER_NOT_ALLOWED or CHANNEL_FROZEN
/// where only announcers and admins write.
pub fn may_author(channel: &Channel, author: &User) -> Result<()> {
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

/// As [`may_read`], except that a community key acts for its senders, who are checked instead.
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

    use super::*;

    struct Users {
        insider: UserId,
        outsider: UserId,
    }

    impl Users {
        fn new() -> Self {
            Self {
                insider: UserId::generate(),
                outsider: UserId::generate(),
            }
        }

        /// A channel in which the insider is participant and announcer.
        fn channel(&self, kind: ChannelKind) -> Channel {
            Channel {
                community: CommunityId::generate(),
                id: ChannelId::generate(),
                topic: "General".into(),
                kind,
                url: None,
                participants: HashSet::from([self.insider]),
                announcers: HashSet::from([self.insider]),
                frozen: false,
            }
        }
    }

    fn member(id: UserId, role: Role) -> User {
        User {
            id,
            number: 1,
            username: "ada".into(),
            email: "ada@example.com".into(),
            display_name: "Ada".into(),
            first_name: "Ada".into(),
            avatar: String::new(),
            role,
            active: true,
            bot: false,
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
        let users = Users::new();
        let dm = users.channel(ChannelKind::Dm);
        let cases = [
            (jwt(users.insider), None),
            (jwt(users.outsider), Some(Reason::ChannelNotFound)),
            (user_key(users.insider, ChannelLimit::Any), None),
            (
                user_key(users.outsider, ChannelLimit::Any),
                Some(Reason::ChannelNotAllowed),
            ),
            (community_key(), Some(Reason::ChannelNotAllowed)),
            (sendbird(), None),
        ];
        for (caller, refusal) in cases {
            assert_eq!(reason(may_read(&caller, &dm)), refusal, "{caller:?}");
            assert_eq!(
                reason(may_read(&caller, &users.channel(ChannelKind::Open))),
                None
            );
        }
    }

    #[test]
    fn a_limited_key_is_refused_outside_its_channels() {
        let users = Users::new();
        let (open, other) = (
            users.channel(ChannelKind::Open),
            users.channel(ChannelKind::Open),
        );
        let only = ChannelLimit::Only(Arc::new(HashSet::from([open.id])));
        let (key, owner) = (
            user_key(users.insider, only),
            member(users.insider, Role::Owner),
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
        let users = Users::new();
        let insider = member(users.insider, Role::Member);
        let outsider = member(users.outsider, Role::Member);
        let admin = member(users.outsider, Role::Admin);
        let bot = User {
            bot: true,
            ..member(UserId::generate(), Role::Unspecified)
        };
        let refused = Some(Reason::SenderNotAllowed);
        // Kind, sender, may write, may react.
        let cases = [
            (Open, &outsider, None, None),
            (Forum, &outsider, None, None),
            (Announcement, &outsider, refused, None),
            (Announcement, &insider, None, None),
            (Announcement, &admin, None, None),
            (Announcement, &bot, None, None),
            (Open, &bot, None, None),
            (Dm, &bot, refused, refused),
            (Dm, &outsider, refused, refused),
            (Dm, &insider, None, None),
            (Dm, &admin, refused, refused),
        ];
        for (kind, sender, write, react) in cases {
            let channel = users.channel(kind);
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
    fn in_a_frozen_channel_announcers_write_and_all_react() {
        let users = Users::new();
        let mut channel = users.channel(ChannelKind::Open);
        channel.frozen = true;
        let (insider, outsider) = (
            member(users.insider, Role::Member),
            member(users.outsider, Role::Member),
        );
        let write = |sender| reason(may_write(&community_key(), &channel, sender));
        assert_eq!(write(Some(&insider)), None);
        assert_eq!(write(None), None, "an administrative message");
        assert_eq!(write(Some(&outsider)), Some(Reason::ChannelFrozen));
        assert_eq!(
            reason(may_react(&community_key(), &channel, &outsider)),
            None
        );
    }
}
