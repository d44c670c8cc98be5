//! Users: members of exactly one community.

use guildhall_auth::Role as AccessRole;
use guildhall_data::{CommunityId, PersonId, Tenant, UserId, failed};
use guildhall_proto::identity::v1::User;
use guildhall_runtime::{Error, Reason, Result, Timestamp};
use sea_orm::{ActiveValue::Set, ConnectionTrait, Select, entity::prelude::*};

use crate::domain::{account::Account, profile::Profile, text::fold_case};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "users")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub community_id: CommunityId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: UserId,
    /// The small numeric id, counted up per community from 1.
    pub number: i64,
    /// The same in every community for one person; never shown.
    pub person_id: PersonId,
    pub username: String,
    /// Lower case, unique.
    pub username_key: String,
    pub email: String,
    /// Lower case, unique.
    pub email_key: String,
    pub display_name: String,
    pub first_name: String,
    pub last_name: String,
    /// Address of the avatar, empty for none.
    pub avatar: String,
    /// A PHC string; none for who logs in elsewhere.
    pub password_hash: Option<String>,
    pub is_email_verified: bool,
    pub role: Role,
    pub status: Status,
    /// Tokens issued before are no longer valid.
    pub tokens_valid_after: i64,
    pub created_at: i64,
    pub updated_at: i64,
}

/// What a user may do in his community.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "i32", db_type = "Integer")]
pub enum Role {
    #[sea_orm(num_value = 1)]
    Member,
    #[sea_orm(num_value = 2)]
    Admin,
    #[sea_orm(num_value = 3)]
    Owner,
}

impl From<Role> for AccessRole {
    fn from(role: Role) -> Self {
        match role {
            Role::Member => Self::Member,
            Role::Admin => Self::Admin,
            Role::Owner => Self::Owner,
        }
    }
}

/// Whether a user takes part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "i32", db_type = "Integer")]
pub enum Status {
    #[sea_orm(num_value = 1)]
    Active,
    #[sea_orm(num_value = 2)]
    Suspended,
    /// Kept for what he wrote; found by his id alone.
    #[sea_orm(num_value = 3)]
    Deleted,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Tenant for Entity {
    const COMMUNITY: Column = Column::CommunityId;
}

impl Model {
    /// Whether his keys and sessions are good.
    pub(crate) fn is_active(&self) -> bool {
        self.status == Status::Active
    }
}

impl From<Model> for User {
    fn from(user: Model) -> Self {
        Self {
            active: user.is_active(),
            id: user.id.to_string(),
            number: user.number,
            username: user.username,
            email: user.email,
            display_name: user.display_name,
            first_name: user.first_name,
            last_name: user.last_name,
            avatar: user.avatar,
            role: AccessRole::from(user.role).into(),
        }
    }
}

/// A user about to be stored.
pub(crate) struct NewUser {
    pub(crate) community: CommunityId,
    pub(crate) id: UserId,
    pub(crate) number: i64,
    pub(crate) profile: Profile,
    pub(crate) password_hash: String,
    pub(crate) role: Role,
}

/// Stores a user, whose address is taken as verified.
///
/// # Errors
/// ALREADY_EXISTS when his username or e-mail is taken.
pub(crate) async fn insert(transaction: &impl ConnectionTrait, new: NewUser) -> Result<Model> {
    let now = Timestamp::now().as_millis();
    let row = ActiveModel {
        community_id: Set(new.community),
        id: Set(new.id),
        number: Set(new.number),
        person_id: Set(PersonId::generate()),
        username_key: Set(fold_case(&new.profile.username)),
        username: Set(new.profile.username),
        email_key: Set(fold_case(&new.profile.email)),
        email: Set(new.profile.email),
        display_name: Set(new.profile.display_name),
        first_name: Set(new.profile.first_name),
        last_name: Set(new.profile.last_name),
        avatar: Set(String::new()),
        password_hash: Set(Some(new.password_hash)),
        is_email_verified: Set(true),
        role: Set(new.role),
        status: Set(Status::Active),
        tokens_valid_after: Set(0),
        created_at: Set(now),
        updated_at: Set(now),
    };
    let inserted = Entity::insert(row).exec_with_returning(transaction).await;
    inserted.map_err(|error| match failed(error) {
        error if error.reason() == Reason::AlreadyExists => Error::new(
            Reason::AlreadyExists,
            "The username or email is taken, choose another",
        ),
        error => error,
    })
}

/// The user of an id, whatever his status.
pub(crate) async fn find(
    connection: &impl ConnectionTrait,
    community: CommunityId,
    id: UserId,
) -> Result<Option<Model>> {
    let user = Entity::within(community).filter(Column::Id.eq(id));
    user.one(connection).await.map_err(failed)
}

/// Who logs in, whatever his status.
pub(crate) async fn find_account(
    connection: &impl ConnectionTrait,
    community: CommunityId,
    account: &Account,
) -> Result<Option<Model>> {
    let named = match account {
        Account::Email(email) => Column::EmailKey.eq(email),
        Account::Username(username) => Column::UsernameKey.eq(username),
    };
    let user = Entity::within(community).filter(named);
    user.one(connection).await.map_err(failed)
}

/// The users of these ids, whatever their status: what they wrote still names them.
pub(crate) async fn with_ids(
    connection: &impl ConnectionTrait,
    community: CommunityId,
    ids: Vec<UserId>,
) -> Result<Vec<Model>> {
    some(connection, Entity::within(community), Column::Id, ids).await
}

/// The present users with these numeric ids.
pub(crate) async fn with_numbers(
    connection: &impl ConnectionTrait,
    community: CommunityId,
    numbers: Vec<i64>,
) -> Result<Vec<Model>> {
    some(connection, present(community), Column::Number, numbers).await
}

/// The present users with these e-mail addresses, in lower case.
pub(crate) async fn with_emails(
    connection: &impl ConnectionTrait,
    community: CommunityId,
    emails: Vec<String>,
) -> Result<Vec<Model>> {
    some(connection, present(community), Column::EmailKey, emails).await
}

/// The present users with these usernames, in lower case.
pub(crate) async fn with_usernames(
    connection: &impl ConnectionTrait,
    community: CommunityId,
    usernames: Vec<String>,
) -> Result<Vec<Model>> {
    some(
        connection,
        present(community),
        Column::UsernameKey,
        usernames,
    )
    .await
}

fn present(community: CommunityId) -> Select<Entity> {
    Entity::within(community).filter(Column::Status.ne(Status::Deleted))
}

/// One query for all of them, and none for nobody.
async fn some<V: Into<Value>>(
    connection: &impl ConnectionTrait,
    users: Select<Entity>,
    column: Column,
    values: Vec<V>,
) -> Result<Vec<Model>> {
    if values.is_empty() {
        return Ok(Vec::new());
    }
    users
        .filter(column.is_in(values))
        .all(connection)
        .await
        .map_err(failed)
}
