use guildhall_auth::Role;
use guildhall_proto::identity::v1::{ResolveSessionResponse, User};
use guildhall_runtime::Result;

use super::time;
use crate::{
    domain::bot::id_of,
    store::{communities, users::Model},
};

/// A user, without their password or person id.
pub(crate) fn user(user: Model) -> User {
    User {
        active: user.is_active(),
        id: user.id.to_string(),
        number: user.number,
        username: user.username,
        email: user.email,
        display_name: user.display_name,
        first_name: user.first_name,
        last_name: user.last_name,
        avatar: user.avatar,
        role: Role::from(user.role).into(),
        bot: false,
    }
}

/// The bot of a community, which has the community's name.
///
/// # Errors
/// As [`id_of`].
pub(crate) fn bot(community: &communities::Model) -> Result<User> {
    Ok(User {
        id: id_of(community.id)?.to_string(),
        username: community.slug.clone(),
        display_name: community.name.clone(),
        active: true,
        bot: true,
        ..User::default()
    })
}

/// What the access layer needs to know of an active user's sessions.
pub(crate) fn session(user: &Model) -> ResolveSessionResponse {
    ResolveSessionResponse {
        role: Role::from(user.role).into(),
        tokens_valid_after: Some(time(user.tokens_valid_after)),
    }
}
