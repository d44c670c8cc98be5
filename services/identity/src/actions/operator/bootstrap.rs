//! Creates a community.

use guildhall_data::{CommunityId, Database, UserId};
use guildhall_proto::identity::v1::User;
use guildhall_runtime::Result;
use guildhall_types::text::line;
use zeroize::Zeroizing;

use super::{
    insert_user,
    sendbird_tokens::{insert_key, token_spec},
};
use crate::{
    Identity,
    domain::{
        KeyKind,
        key_spec::{KeySpec, all_for_community_keys},
        password,
        profile::Profile,
        slug::slug,
        user::Role,
    },
    store::communities,
};

/// The longest name of a community, in characters.
const MAX_NAME: usize = 100;
/// The permissions of the owner's first user key.
const MESSAGING: [&str; 4] = ["sendMessage", "replyMessage", "getMessages", "getChannels"];

/// A community to create.
#[derive(Debug, Clone)]
pub struct NewCommunity {
    /// Its name, 1 to 100 characters.
    pub name: String,
    /// The e-mail address of its owner; the part before the `@` becomes their username.
    pub owner_email: String,
}

/// A community that was just created. Its secrets are stored nowhere else and cannot be shown again.
pub struct Bootstrapped {
    /// Its id.
    pub community_id: CommunityId,
    /// Its name in addresses.
    pub slug: String,
    /// Its first user.
    pub owner: User,
    /// The owner's generated password.
    pub owner_password: Zeroizing<String>,
    /// The community's one system key.
    pub system_key: Zeroizing<String>,
    /// A community key with every permission that one can carry.
    pub api_key: Zeroizing<String>,
    /// A key of the owner with the messaging permissions.
    pub user_api_key: Zeroizing<String>,
    /// A token of the Sendbird facade.
    pub sendbird_token: Zeroizing<String>,
}

impl Identity {
    /// Creates a community, its owner and its credentials: all of it or nothing.
    ///
    /// # Errors
    /// ALREADY_EXISTS when there is one of that name, and for names that are not accepted.
    pub async fn bootstrap(&self, new: NewCommunity) -> Result<Bootstrapped> {
        let name = line("name", &new.name, MAX_NAME)?;
        let profile = Profile::of_email(new.owner_email)?;
        let password = password::generate()?;
        let password_hash = self.0.passwords.hash(password.clone()).await?;
        let (community, owner) = (CommunityId::generate(), UserId::generate());
        let slug = slug(&name, community);

        let transaction = self.0.database.begin().await?;
        communities::insert(&transaction, community, &name, &slug, owner).await?;
        let new = (profile, password_hash, Role::Owner);
        let user = insert_user(&transaction, community, owner, new).await?;
        let key = |kind, spec| insert_key(&transaction, community, owner, kind, spec);
        let created = Bootstrapped {
            community_id: community,
            slug,
            owner: user,
            owner_password: password,
            system_key: key(KeyKind::System, KeySpec::named("System key")).await?.1,
            api_key: key(KeyKind::Community, first_key(all_for_community_keys()))
                .await?
                .1,
            user_api_key: key(KeyKind::User, first_key(MESSAGING.map(String::from).into()))
                .await?
                .1,
            sendbird_token: key(KeyKind::Sendbird, token_spec()).await?.1,
        };
        Database::commit(transaction).await?;
        Ok(created)
    }
}

fn first_key(permissions: Vec<String>) -> KeySpec {
    KeySpec {
        permissions,
        ..KeySpec::named("First key")
    }
}
