//! A member of a community, as identity knows him.

use guildhall_auth::Role;
use guildhall_data::UserId;
use guildhall_proto::{identity::v1::User, messaging::v1::Author};
use guildhall_runtime::Result;

/// A member who writes or reacts.
#[derive(Debug, Clone, PartialEq)]
pub struct Member {
    /// His id.
    pub id: UserId,
    /// His role in the community.
    pub role: Role,
    /// Whether he may act; what others wrote is shown all the same.
    pub active: bool,
    /// How he is shown beside what he writes.
    pub author: Author,
}

impl Member {
    /// The member that identity speaks of.
    ///
    /// # Errors
    /// MALFORMED_ID when identity breaks its contract.
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
