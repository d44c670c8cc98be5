//! What an operator does from the command line, without any access rule: none of it can be reached
//! over the network.

mod add_member;
mod bootstrap;
mod revocations;
mod sendbird_tokens;

use guildhall_data::{CommunityId, UserId};
use guildhall_proto::identity::v1::User;
use guildhall_runtime::Result;
use sea_orm::ConnectionTrait;

pub use self::{
    add_member::NewMember,
    bootstrap::{Bootstrapped, NewCommunity},
};
use crate::{
    Identity,
    domain::{profile::Profile, user::Role},
    present,
    store::{
        communities,
        users::{self, NewUser},
    },
};

/// A community.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Community {
    /// Its id.
    pub id: CommunityId,
    /// Its name.
    pub name: String,
    /// Its name in addresses.
    pub slug: String,
    /// The user who owns it.
    pub owner: UserId,
}

impl From<communities::Model> for Community {
    fn from(community: communities::Model) -> Self {
        Self {
            id: community.id,
            name: community.name,
            slug: community.slug,
            owner: community.owner_id,
        }
    }
}

impl Identity {
    /// The community with this id or slug.
    ///
    /// # Errors
    /// UNREACHABLE when the database does not answer.
    pub async fn find_community(&self, id_or_slug: &str) -> Result<Option<Community>> {
        let reader = self.0.database.reader();
        let found = communities::find_by_id_or_slug(reader, id_or_slug).await?;
        Ok(found.map(Community::from))
    }

    /// The only community, unless there are several or none.
    ///
    /// # Errors
    /// UNREACHABLE when the database does not answer.
    pub async fn find_only_community(&self) -> Result<Option<Community>> {
        let found = communities::find_only(self.0.database.reader()).await?;
        Ok(found.map(Community::from))
    }

    /// Creates a new key to sign JWTs with, returns its id, and retires the others: tokens they
    /// signed stay valid until they expire. Running processes use it from the next login on.
    ///
    /// # Errors
    /// UNREACHABLE when the database does not answer.
    pub async fn rotate_signing_key(&self) -> Result<String> {
        Ok(self.replace_signing_key().await?.to_string())
    }
}

/// Stores a user with the next number of their community.
async fn insert_user(
    transaction: &impl ConnectionTrait,
    community: CommunityId,
    id: UserId,
    (profile, password_hash, role): (Profile, String, Role),
) -> Result<User> {
    let number = communities::next_user_number(transaction, community).await?;
    let new = NewUser {
        community,
        id,
        number,
        profile,
        password_hash,
        role,
    };
    users::insert(transaction, new).await.map(present::user)
}
