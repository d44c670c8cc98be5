//! Users beside what they write.

use guildhall_data::UserId;
use guildhall_directory::User;
use guildhall_proto::messaging::v1::Author;

/// A user as they are shown next to what they write.
pub(crate) fn author(user: &User) -> Author {
    Author {
        user_id: user.id.to_string(),
        number: user.number,
        username: user.username.clone(),
        email: user.email.clone(),
        display_name: user.display_name.clone(),
        first_name: user.first_name.clone(),
        avatar: user.avatar.clone(),
    }
}

/// A user whom identity does not know any more: the id alone.
pub(crate) fn unknown_author(id: UserId) -> Author {
    Author {
        user_id: id.to_string(),
        ..Author::default()
    }
}
