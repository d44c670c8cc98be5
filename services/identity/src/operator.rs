//! What an operator does from the command line, past every access rule: nothing of this can be
//! reached over the network.

use guildhall_auth::Role as AccessRole;
use guildhall_data::{CommunityId, Database, KeyId, UserId};
use guildhall_events::outbox;
use guildhall_proto::identity::v1::User;
use guildhall_runtime::{Error, Result};
use sea_orm::ConnectionTrait;
use zeroize::Zeroizing;

use crate::{
    Identity,
    domain::{
        key_spec::{KeySpec, all_for_community_keys},
        key_text::KeyText,
        password,
        profile::Profile,
        slug::slug,
        text::line,
    },
    events,
    store::{
        api_keys::{self, Kind, NewKey},
        communities,
        users::{self, NewUser, Role},
    },
};

/// The longest name of a community, in characters.
const MAX_NAME: usize = 100;
/// What the owner's first user key may do.
const MESSAGING: [&str; 4] = ["sendMessage", "replyMessage", "getMessages", "getChannels"];

/// A community to make.
#[derive(Debug, Clone)]
pub struct NewCommunity {
    /// Its name, 1 to 100 characters.
    pub name: String,
    /// The address of its owner; what stands before the `@` becomes his username.
    pub owner_email: String,
}

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

/// A community as it was made. The secrets are nowhere else, and cannot be shown again.
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

/// A user to add to a community.
pub struct NewMember {
    /// Unique in the community, any case.
    pub username: String,
    /// Unique in the community, any case; taken as verified.
    pub email: String,
    /// The name shown beside what he writes; the username when empty.
    pub display_name: String,
    /// Given name, may be empty.
    pub first_name: String,
    /// Family name, may be empty.
    pub last_name: String,
    /// Member or admin: a community has the one owner that it was made with.
    pub role: AccessRole,
    /// At least 8 characters; generated when absent.
    pub password: Option<Zeroizing<String>>,
}

impl Identity {
    /// Makes a community, its owner and its credentials: all of it or nothing.
    ///
    /// # Errors
    /// ALREADY_EXISTS when there is one of that name, and for bad names.
    pub async fn bootstrap(&self, new: NewCommunity) -> Result<Bootstrapped> {
        let name = line("name", new.name, MAX_NAME)?;
        let profile = Profile::of_email(new.owner_email)?;
        let password = password::generate()?;
        let password_hash = self.0.passwords.hash(password.clone()).await?;
        let (community, owner) = (CommunityId::generate(), UserId::generate());
        let slug = slug(&name, community);

        let transaction = self.0.database.begin().await?;
        communities::insert(&transaction, community, &name, &slug, owner).await?;
        let new = (profile, password_hash, Role::Owner);
        let user = insert_user(&transaction, community, owner, new).await?;
        let key = |kind, spec| first_key(&transaction, community, owner, kind, spec);
        let made = Bootstrapped {
            community_id: community,
            slug,
            owner: user,
            owner_password: password,
            system_key: key(Kind::System, KeySpec::named("System key")).await?.1,
            api_key: key(Kind::Community, first_spec(all_for_community_keys()))
                .await?
                .1,
            user_api_key: key(Kind::User, first_spec(MESSAGING.map(String::from).into()))
                .await?
                .1,
            sendbird_token: key(Kind::Sendbird, sendbird_spec()).await?.1,
        };
        Database::commit(transaction).await?;
        Ok(made)
    }

    /// Adds a user; answers him with his password.
    ///
    /// # Errors
    /// COMMUNITY_NOT_FOUND, ALREADY_EXISTS when his username or e-mail is taken, and for bad
    /// names.
    pub async fn add_member(
        &self,
        community: CommunityId,
        new: NewMember,
    ) -> Result<(User, Zeroizing<String>)> {
        let role = role(new.role)?;
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

    /// The community of an id or slug.
    ///
    /// # Errors
    /// UNREACHABLE when the database does not answer.
    pub async fn find_community(&self, id_or_slug: &str) -> Result<Option<Community>> {
        let found = communities::find_by_name(self.0.database.reader(), id_or_slug).await?;
        Ok(found.map(|community| Community {
            id: community.id,
            name: community.name,
            slug: community.slug,
            owner: community.owner_id,
        }))
    }

    /// Makes a new key to sign JWTs with, answers its id, and retires the others: the tokens they
    /// signed stay valid until they expire. Running processes sign with it from the next login on.
    ///
    /// # Errors
    /// UNREACHABLE when the database does not answer.
    pub async fn rotate_signing_key(&self) -> Result<String> {
        Ok(self.replace_signing_key().await?.to_string())
    }

    /// Makes a token of the Sendbird facade, in the owner's name.
    ///
    /// # Errors
    /// COMMUNITY_NOT_FOUND, WRONG_STATE when there are too many.
    pub async fn create_sendbird_token(
        &self,
        community: CommunityId,
    ) -> Result<(KeyId, Zeroizing<String>)> {
        let transaction = self.0.database.begin().await?;
        let found = communities::find(&transaction, community).await?;
        let owner = found.ok_or_else(communities::not_found)?.owner_id;
        let made = first_key(
            &transaction,
            community,
            owner,
            Kind::Sendbird,
            sendbird_spec(),
        )
        .await?;
        Database::commit(transaction).await?;
        Ok(made)
    }

    /// Revokes a token of the Sendbird facade.
    ///
    /// # Errors
    /// KEY_NOT_FOUND.
    pub async fn revoke_sendbird_token(&self, community: CommunityId, id: KeyId) -> Result<()> {
        let is_token = |key: &api_keys::Model| key.kind == Kind::Sendbird;
        self.revoke_key(community, id, is_token).await.map(drop)
    }
}

fn role(role: AccessRole) -> Result<Role> {
    match role {
        AccessRole::Member => Ok(Role::Member),
        AccessRole::Admin => Ok(Role::Admin),
        AccessRole::Owner | AccessRole::Unspecified => {
            Err(Error::invalid("role", "role must be member or admin"))
        }
    }
}

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
    users::insert(transaction, new).await.map(User::from)
}

async fn first_key(
    transaction: &impl ConnectionTrait,
    community: CommunityId,
    user: UserId,
    kind: Kind,
    spec: KeySpec,
) -> Result<(KeyId, Zeroizing<String>)> {
    let text = KeyText::generate(kind)?;
    let new = NewKey {
        community,
        kind,
        user,
        spec,
        text: &text,
    };
    let key = api_keys::insert(transaction, new).await?;
    Ok((key.id, text.reveal()))
}

fn first_spec(permissions: Vec<String>) -> KeySpec {
    KeySpec {
        permissions,
        ..KeySpec::named("First key")
    }
}

/// Tokens have names that nobody chooses, so that a community can have several.
fn sendbird_spec() -> KeySpec {
    KeySpec::named(format!("Sendbird token {}", KeyId::generate()))
}
