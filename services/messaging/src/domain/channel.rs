//! Channels, as far as the rules need them.

use std::collections::HashSet;

use guildhall_auth::Role;
use guildhall_data::{ChannelId, CommunityId, UserId};
use guildhall_directory::User;
use guildhall_proto::messaging::v1::ChannelType;
use guildhall_types::proto_enum;
use sea_orm::{DeriveActiveEnum, EnumIter};

/// The longest url of a channel, in characters.
pub const MAX_URL: usize = 100;

/// The kind of a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "i16", db_type = "SmallInteger")]
pub enum ChannelKind {
    /// Every member reads and writes.
    #[sea_orm(num_value = 1)]
    Open,
    /// Announcers write, every member reads and reacts.
    #[sea_orm(num_value = 2)]
    Announcement,
    /// Only its participants read and write.
    #[sea_orm(num_value = 3)]
    Dm,
    /// Messages belong to topics.
    #[sea_orm(num_value = 4)]
    Forum,
}

impl ChannelKind {
    /// The kinds that are open to every member.
    pub const SHARED: [Self; 3] = [Self::Open, Self::Announcement, Self::Forum];
}

proto_enum!(ChannelKind as ChannelType { Open, Announcement, Dm, Forum });

/// A channel, with everything that decides who may do what in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channel {
    /// Its community.
    pub community: CommunityId,
    /// Its id.
    pub id: ChannelId,
    /// The name shown.
    pub topic: String,
    /// Its kind.
    pub kind: ChannelKind,
    /// Its free-form address in the Sendbird facade.
    pub url: Option<String>,
    /// Who takes part in it (direct messages).
    pub participants: HashSet<UserId>,
    /// Who may write in it (announcements).
    pub announcers: HashSet<UserId>,
    /// Whether only announcers and admins may write for now.
    pub frozen: bool,
}

impl Channel {
    /// Whether the channel is a direct-message channel.
    #[must_use]
    pub fn is_direct(&self) -> bool {
        self.kind == ChannelKind::Dm
    }

    /// Whether the user may write where others only read: announcers of the channel, the owner,
    /// admins and the bot of the community.
    #[must_use]
    pub fn is_led_by(&self, user: &User) -> bool {
        user.bot || user.role >= Role::Admin || self.announcers.contains(&user.id)
    }
}
