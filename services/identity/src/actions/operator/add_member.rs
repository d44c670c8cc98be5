//! Adds a user to a community.

use guildhall_auth::Role as AccessRole;
use guildhall_data::{CommunityId, Database, UserId};
use guildhall_events::outbox;
use guildhall_proto::identity::v1::User;
use guildhall_runtime::Result;
use zeroize::Zeroizing;

use super::insert_user;
use crate::{
    Identity,
    domain::{password, profile::Profile, user::Role},
    events,
};

/// A user to add to a community.
pub struct NewMember {
    /// Unique in the community, in any case.
    pub username: String,
    /// Unique in the community, in any case; counts as verified.
    pub email: String,
    /// The name shown beside what they write; the username when empty.
    pub display_name: String,
    /// Given name, may be empty.
    pub first_name: String,
    /// Family name, may be empty.
    pub last_name: String,
    /// Member or admin: a community has the one owner that it was created with.
    pub role: AccessRole,
    /// At least 8 characters; generated when absent.
    pub password: Option<Zeroizing<String>>,
}

impl Identity {
    /// Adds a user; returns them with their password.
    ///
    /// # Errors
    /// COMMUNITY_NOT_FOUND, ALREADY_EXISTS when the username or e-mail is taken, and for names or a
    /// password that are not accepted.
    pub async fn add_member(
        &self,
        community: CommunityId,
        new: NewMember,
    ) -> Result<(User, Zeroizing<String>)> {
        let role = Role::of_new_member(new.role)?;
        let profile = Profile {
            username: new.username,
            email: new.email,
            display_name: new.display_name,
            first_name: new.first_name,
            last_name: new.last_name,
        };
        let profile = profile.check()?;
        let password = match new.password {
            Some(password) => password::chosen(&password)?,
            None => password::generate()?,
        };
        let password_hash = self.0.passwords.hash(password.clone()).await?;

        let transaction = self.0.database.begin().await?;
        let new = (profile, password_hash, role);
        let id = UserId::generate();
        let user = insert_user(&transaction, community, id, new).await?;
        outbox::append(&transaction, vec![events::member_joined(community, id)]).await?;
        Database::commit(transaction).await?;
        self.0.outbox.announce();
        Ok((user, password))
    }
}
