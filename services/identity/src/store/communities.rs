//! Communities, the tenants.

use crate::domain::key::Key;
use guildhall_data::{CommunityId, Tenant, UserId, failed};
use guildhall_runtime::{Error, Reason, Result, Timestamp};
use sea_orm::{ActiveValue::Set, ConnectionTrait, ExprTrait, QuerySelect, entity::prelude::*};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "communities")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: CommunityId,
    pub name: String,
    /// Its name in addresses, unique.
    pub slug: String,
    pub owner_id: UserId,
    /// The numeric id of its newest user.
    pub last_user_number: i64,
    pub created_at: i64,
    pub updated_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Tenant for Entity {
    const COMMUNITY: Column = Column::Id;
}

/// Stores a new community, which has no users yet.
///
/// # Errors
/// ALREADY_EXISTS when the slug is taken.
pub(crate) async fn insert(
    transaction: &impl ConnectionTrait,
    id: CommunityId,
    name: &str,
    slug: &str,
    owner: UserId,
) -> Result<()> {
    let now = Timestamp::now().as_millis();
    let row = ActiveModel {
        id: Set(id),
        name: Set(name.to_owned()),
        slug: Set(slug.to_owned()),
        owner_id: Set(owner),
        last_user_number: Set(0),
        created_at: Set(now),
        updated_at: Set(now),
    };
    let inserted = Entity::insert(row)
        .exec_without_returning(transaction)
        .await;
    inserted.map(drop).map_err(|error| match failed(error) {
        error if error.reason() == Reason::AlreadyExists => Error::new(
            Reason::AlreadyExists,
            format!(
                "A community with the address name {slug:?} exists already, choose another name"
            ),
        ),
        error => error,
    })
}

/// The community with this id, if it exists.
pub(crate) async fn find(
    connection: &impl ConnectionTrait,
    id: CommunityId,
) -> Result<Option<Model>> {
    Entity::within(id).one(connection).await.map_err(failed)
}

/// The community with this id.
///
/// # Errors
/// COMMUNITY_NOT_FOUND.
pub(crate) async fn get(connection: &impl ConnectionTrait, id: CommunityId) -> Result<Model> {
    find(connection, id).await?.ok_or_else(not_found)
}

/// The community with this id or slug; an id takes precedence.
pub(crate) async fn find_by_id_or_slug(
    connection: &impl ConnectionTrait,
    id_or_slug: &str,
) -> Result<Option<Model>> {
    if let Ok(id) = id_or_slug.parse()
        && let Some(community) = find(connection, id).await?
    {
        return Ok(Some(community));
    }
    // No slug holds one, and PostgreSQL takes none for a text.
    if id_or_slug.contains('\0') {
        return Ok(None);
    }
    let key = Key::of_name(id_or_slug);
    #[expect(
        clippy::disallowed_methods,
        reason = "the community is what is looked for"
    )]
    let by_slug = Entity::find().filter(Column::Slug.is_in(key.all()));
    let found = by_slug.all(connection).await.map_err(failed)?.into_iter();
    let found = found.map(|community| (community.slug.clone(), community));
    Ok(key.find(&found.collect()).cloned())
}

/// The only community, unless there are several or none.
pub(crate) async fn find_only(connection: &impl ConnectionTrait) -> Result<Option<Model>> {
    #[expect(
        clippy::disallowed_methods,
        reason = "the community is what is looked for"
    )]
    let two = Entity::find().limit(2);
    let mut found = two.all(connection).await.map_err(failed)?;
    let only = found.pop();
    Ok(only.filter(|_| found.is_empty()))
}

/// Takes the next numeric id of a user. The row stays locked until the transaction ends, so that a
/// rollback leaves no gap.
///
/// # Errors
/// COMMUNITY_NOT_FOUND.
pub(crate) async fn next_user_number(
    transaction: &impl ConnectionTrait,
    id: CommunityId,
) -> Result<i64> {
    let updated = Entity::changing(id)
        .col_expr(
            Column::LastUserNumber,
            Expr::col(Column::LastUserNumber).add(1),
        )
        .exec_with_returning(transaction)
        .await
        .map_err(failed)?;
    updated
        .first()
        .map(|community| community.last_user_number)
        .ok_or_else(not_found)
}

/// The error for a community that does not exist.
pub(crate) fn not_found() -> Error {
    Error::new(Reason::CommunityNotFound, "Community not found.")
}
