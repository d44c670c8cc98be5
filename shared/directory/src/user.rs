//! A user as identity answers.

use guildhall_auth::Role;
use guildhall_proto::identity::v1;
use guildhall_runtime::{Error, Result};
use guildhall_types::UserId;

/// A user of one community.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Their id.
    pub id: UserId,
    /// The small numeric id, counted per community.
    pub number: i64,
    /// Unique in the community.
    pub username: String,
    /// Unique in the community.
    pub email: String,
    /// The name shown beside what they write.
    pub display_name: String,
    /// Given name.
    pub first_name: String,
    /// Address of the avatar, empty when none was set.
    pub avatar: String,
    /// Their role in the community.
    pub role: Role,
    /// False for suspended and deleted users: they may not act, but what they wrote is shown.
    pub active: bool,
    /// Whether it is the bot of the community, which is not a member.
    pub bot: bool,
}

impl TryFrom<v1::User> for User {
    type Error = Error;

    /// INTERNAL when identity breaks its contract.
    fn try_from(user: v1::User) -> Result<Self> {
        Ok(Self {
            id: user.id.parse().map_err(Error::internal)?,
            role: user.role(),
            number: user.number,
            username: user.username,
            email: user.email,
            display_name: user.display_name,
            first_name: user.first_name,
            avatar: user.avatar,
            active: user.active,
            bot: user.bot,
        })
    }
}
