//! API keys of every kind. Their texts are not stored: only digests and masks are.

use guildhall_data::{ChannelId, CommunityId, KeyId, Quota, Tenant, UserId, failed};
use guildhall_runtime::{Error, Reason, Result, Timestamp};
use sea_orm::{
    ActiveValue::Set, Condition, ConnectionTrait, FromJsonQueryResult, Select, entity::prelude::*,
};
use serde::{Deserialize, Serialize};

use crate::domain::{KeyKind, key_spec::KeySpec, key_text::KeyText};

/// Live keys of one kind that an owner may have.
const QUOTA: Quota = Quota {
    resource: 1,
    max: 100,
    name: "keys",
    reason: Reason::WrongState,
};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "api_keys")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub community_id: CommunityId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: KeyId,
    pub kind: KeyKind,
    /// Whose keys the name is unique among: the user of a user key, otherwise the community.
    pub owner_id: String,
    pub name: String,
    /// SHA-256 of the text, unique.
    pub digest: Vec<u8>,
    pub masked: String,
    /// The user of a user key, or who made it.
    pub user_id: UserId,
    pub permissions: Texts,
    pub channel_ids: Texts,
    pub expire_period_days: i32,
    pub expires_at: Option<i64>,
    pub is_active: bool,
    pub created_at: i64,
    pub deleted_at: Option<i64>,
}

/// A JSON array of strings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, FromJsonQueryResult)]
pub struct Texts(pub Vec<String>);

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Tenant for Entity {
    const COMMUNITY: Column = Column::CommunityId;
}

impl Model {
    /// The digest, as signals carry it.
    ///
    /// # Errors
    /// INTERNAL when the row was damaged.
    pub(crate) fn digest(&self) -> Result<[u8; 32]> {
        self.digest.as_slice().try_into().map_err(Error::internal)
    }
}

/// A key about to be stored.
pub(crate) struct NewKey<'a> {
    pub(crate) community: CommunityId,
    pub(crate) kind: KeyKind,
    /// The user of a user key, or who makes it.
    pub(crate) user: UserId,
    pub(crate) spec: KeySpec,
    pub(crate) text: &'a KeyText,
}

impl NewKey<'_> {
    fn owner(&self) -> String {
        match self.kind {
            KeyKind::User => self.user.to_string(),
            KeyKind::System | KeyKind::Community | KeyKind::Sendbird => self.community.to_string(),
        }
    }
}

/// Stores a key.
///
/// # Errors
/// ALREADY_EXISTS when its owner has a live key of that name, WRONG_STATE when they have too many.
pub(crate) async fn insert(transaction: &impl ConnectionTrait, new: NewKey<'_>) -> Result<Model> {
    let owner = new.owner();
    let present = live(new.community)
        .filter(Column::OwnerId.eq(&owner))
        .filter(Column::Kind.eq(new.kind));
    QUOTA.admit(transaction, new.community, present).await?;
    let inserted = Entity::insert(row(new, owner))
        .exec_with_returning(transaction)
        .await;
    inserted.map_err(|error| match failed(error) {
        error if error.reason() == Reason::AlreadyExists => {
            Error::new(Reason::AlreadyExists, "A key of that name exists already")
        }
        error => error,
    })
}

fn row(new: NewKey<'_>, owner: String) -> ActiveModel {
    let channels = new.spec.channels.iter().map(ChannelId::to_string).collect();
    ActiveModel {
        community_id: Set(new.community),
        id: Set(KeyId::generate()),
        kind: Set(new.kind),
        owner_id: Set(owner),
        name: Set(new.spec.name),
        digest: Set(new.text.digest().to_vec()),
        masked: Set(new.text.masked()),
        user_id: Set(new.user),
        permissions: Set(Texts(new.spec.permissions)),
        channel_ids: Set(Texts(channels)),
        expire_period_days: Set(new.spec.expire_period_days),
        expires_at: Set(new.spec.expires_at.map(Timestamp::as_millis)),
        is_active: Set(true),
        created_at: Set(Timestamp::now().as_millis()),
        deleted_at: Set(None),
    }
}

fn live(community: CommunityId) -> Select<Entity> {
    Entity::within(community).filter(Column::DeletedAt.is_null())
}

/// The usable key with this digest: not deleted, active, and not expired.
pub(crate) async fn find_usable(
    connection: &impl ConnectionTrait,
    digest: [u8; 32],
) -> Result<Option<Model>> {
    #[expect(
        clippy::disallowed_methods,
        reason = "the digest says which community it is"
    )]
    let key = Entity::find().filter(Column::Digest.eq(digest.to_vec()));
    let not_expired = Condition::any()
        .add(Column::ExpiresAt.is_null())
        .add(Column::ExpiresAt.gt(Timestamp::now().as_millis()));
    key.filter(Column::DeletedAt.is_null())
        .filter(Column::IsActive.eq(true))
        .filter(not_expired)
        .one(connection)
        .await
        .map_err(failed)
}

/// The live key with this id, active or not.
///
/// # Errors
/// KEY_NOT_FOUND.
pub(crate) async fn get(
    connection: &impl ConnectionTrait,
    community: CommunityId,
    id: KeyId,
) -> Result<Model> {
    let key = live(community)
        .filter(Column::Id.eq(id))
        .one(connection)
        .await
        .map_err(failed)?;
    key.ok_or_else(not_found)
}

/// Marks a key as deleted; its name can be used again.
///
/// # Errors
/// KEY_NOT_FOUND when it was deleted concurrently.
pub(crate) async fn remove(transaction: &impl ConnectionTrait, key: &Model) -> Result<()> {
    let deleted = Entity::changing(key.community_id)
        .col_expr(Column::DeletedAt, Expr::value(Timestamp::now().as_millis()))
        .filter(Column::Id.eq(key.id))
        .filter(Column::DeletedAt.is_null())
        .exec(transaction)
        .await
        .map_err(failed)?;
    if deleted.rows_affected == 0 {
        Err(not_found())
    } else {
        Ok(())
    }
}

/// The error for a key that does not exist, or that the caller may not see.
pub(crate) fn not_found() -> Error {
    Error::new(Reason::KeyNotFound, "API key not found.")
}
