//! A member of a community, as identity describes them.

use guildhall_auth::Role;
use guildhall_data::UserId;
use guildhall_proto::{identity::v1::User, messaging::v1::Author};
use guildhall_runtime::Result;

/// A member who writes or reacts.
#[derive(Debug, Clone, PartialEq)]
pub struct Member {
    /// Their id.
    pub id: UserId,
    /// Their role in the community.
    pub role: Role,
    /// Whether they may act. What they wrote is shown either way.
    pub active: bool,
    /// How they are shown beside what they write.
    pub author: Author,
}

impl Member {
    /// The member in a response of identity.
    ///
    /// # Errors
    /// MALFORMED_ID when identity answers without a valid id.
    pub fn from_user(user: User) -> Result<Self> {
        Ok(Self {
            id: user.id.parse()?,
            role: user.role(),
            active: user.active,
            author: Author {
                user_id: user.id,
                number: user.number,
                username: user.username,
                email: user.email,
                display_name: user.display_name,
                first_name: user.first_name,
                avatar: user.avatar,
            },
        })
    }
}
