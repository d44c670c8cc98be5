//! Users: members of exactly one community.

use guildhall_data::{CommunityId, PersonId, Tenant, UserId, failed};
use guildhall_runtime::{Error, Reason, Result, Timestamp};
use sea_orm::{
    ActiveValue::Set, ConnectionTrait, ExprTrait, Select, entity::prelude::*,
    sea_query::CaseStatement,
};

use crate::domain::{
    account::Account,
    key::Key,
    profile::Profile,
    user::{Role, Status},
};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "users")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub community_id: CommunityId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: UserId,
    /// The small numeric id, counted up per community from 1.
    pub number: i64,
    /// Links the users of one person in several communities; never shown.
    pub person_id: PersonId,
    pub username: String,
    /// See [`Key::of_name`]; unique.
    pub username_key: String,
    pub email: String,
    /// See [`Key::of_address`]; unique.
    pub email_key: String,
    pub display_name: String,
    pub first_name: String,
    pub last_name: String,
    /// Address of the avatar, empty for none.
    pub avatar: String,
    /// A PHC string; none for users who cannot log in with a password.
    pub password_hash: Option<String>,
    pub is_email_verified: bool,
    pub role: Role,
    pub status: Status,
    /// Tokens issued before this are no longer valid, in milliseconds.
    pub tokens_valid_after: i64,
    pub created_at: i64,
    pub updated_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Tenant for Entity {
    const COMMUNITY: Column = Column::CommunityId;
}

impl Model {
    /// Whether their keys and sessions are accepted.
    pub(crate) fn is_active(&self) -> bool {
        self.status == Status::Active
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

/// Stores a user; their e-mail address counts as verified.
///
/// # Errors
/// ALREADY_EXISTS when the username or e-mail is taken.
pub(crate) async fn insert(transaction: &impl ConnectionTrait, new: NewUser) -> Result<Model> {
    let now = Timestamp::now().as_millis();
    let row = ActiveModel {
        community_id: Set(new.community),
        id: Set(new.id),
        number: Set(new.number),
        person_id: Set(PersonId::generate()),
        username_key: Set(Key::of_name(&new.profile.username).folded().to_owned()),
        username: Set(new.profile.username),
        email_key: Set(Key::of_address(&new.profile.email).folded().to_owned()),
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

/// Ends every token that was issued to a user so far, also one of the same moment.
///
/// # Errors
/// USER_NOT_FOUND.
pub(crate) async fn end_tokens(
    transaction: &impl ConnectionTrait,
    community: CommunityId,
    id: UserId,
) -> Result<()> {
    let (now, before) = (
        Timestamp::now().as_millis(),
        Expr::col(Column::TokensValidAfter),
    );
    let next = CaseStatement::new()
        .case(before.clone().lt(now), now)
        .finally(before.add(1));
    let ended = Entity::changing(community)
        .col_expr(Column::TokensValidAfter, next.into())
        .filter(Column::Id.eq(id))
        .exec(transaction)
        .await
        .map_err(failed)?;
    match ended.rows_affected {
        0 => Err(not_found()),
        _ => Ok(()),
    }
}

/// The user with this id, in any status.
pub(crate) async fn find(
    connection: &impl ConnectionTrait,
    community: CommunityId,
    id: UserId,
) -> Result<Option<Model>> {
    let user = Entity::within(community).filter(Column::Id.eq(id));
    user.one(connection).await.map_err(failed)
}

/// The user of an account, in any status.
pub(crate) async fn find_account(
    connection: &impl ConnectionTrait,
    community: CommunityId,
    account: &Account,
) -> Result<Option<Model>> {
    let column = match account {
        Account::Email(_) => Column::EmailKey,
        Account::Username(_) => Column::UsernameKey,
    };
    let key_of = |user: &Model| match account {
        Account::Email(_) => user.email_key.clone(),
        Account::Username(_) => user.username_key.clone(),
    };
    let keys = account.key().all().map(str::to_owned).collect();
    let users = list_by(connection, Entity::within(community), column, keys).await?;
    let users = users
        .into_iter()
        .map(|user| (key_of(&user), user))
        .collect();
    Ok(account.key().find(&users).cloned())
}

/// The users with these ids, in any status: what they wrote still names them.
pub(crate) async fn list_by_ids(
    connection: &impl ConnectionTrait,
    community: CommunityId,
    ids: Vec<UserId>,
) -> Result<Vec<Model>> {
    list_by(connection, Entity::within(community), Column::Id, ids).await
}

/// The users with these numeric ids, except deleted ones.
pub(crate) async fn list_by_numbers(
    connection: &impl ConnectionTrait,
    community: CommunityId,
    numbers: Vec<i64>,
) -> Result<Vec<Model>> {
    list_by(connection, not_deleted(community), Column::Number, numbers).await
}

/// The users with these e-mail addresses, except deleted ones.
pub(crate) async fn list_by_emails(
    connection: &impl ConnectionTrait,
    community: CommunityId,
    emails: &[Key],
) -> Result<Vec<Model>> {
    let users = not_deleted(community);
    list_by(connection, users, Column::EmailKey, texts_of(emails)).await
}

/// The users with these usernames, except deleted ones.
pub(crate) async fn list_by_usernames(
    connection: &impl ConnectionTrait,
    community: CommunityId,
    usernames: &[Key],
) -> Result<Vec<Model>> {
    let users = not_deleted(community);
    list_by(connection, users, Column::UsernameKey, texts_of(usernames)).await
}

fn texts_of(keys: &[Key]) -> Vec<String> {
    let texts = keys.iter().flat_map(Key::all);
    texts.map(str::to_owned).collect()
}

fn not_deleted(community: CommunityId) -> Select<Entity> {
    Entity::within(community).filter(Column::Status.ne(Status::Deleted))
}

/// One query for all values, and none for an empty list.
async fn list_by<V: Into<Value>>(
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

/// The error for a user who does not exist in the community.
pub(crate) fn not_found() -> Error {
    Error::new(Reason::UserNotFound, "User not found.")
}
