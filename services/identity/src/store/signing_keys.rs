//! The keys that JWTs are signed with. They belong to the platform, not to a community.

use std::time::Duration;

use guildhall_auth::jwt;
use guildhall_data::{KeyId, failed, seal::Place};
use guildhall_runtime::{Result, Timestamp};
use sea_orm::{
    ActiveValue::Set, Condition, ConnectionTrait, DbBackend, QueryOrder, entity::prelude::*,
};

/// How long a retired key is still listed: as long as its last token is valid, plus a day for
/// clocks that differ.
pub(crate) const LISTED_AFTER_RETIREMENT: Duration =
    jwt::LIFETIME.saturating_add(Duration::from_secs(24 * 3600));

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "signing_keys")]
pub struct Model {
    /// The `kid` of a token's header.
    #[sea_orm(primary_key, auto_increment = false)]
    pub key_id: KeyId,
    /// The raw Ed25519 public key.
    pub public_key: Vec<u8>,
    /// PKCS#8, sealed; removed once the key is retired.
    pub sealed_private_key: Option<Vec<u8>>,
    pub created_at: i64,
    pub retired_at: Option<i64>,
}

impl Model {
    /// Where the private half of a key lies, sealed.
    pub(crate) fn place(key: KeyId) -> Place {
        Place::of_platform("signing_keys.sealed_private_key", [key.to_string()])
    }
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

#[expect(clippy::disallowed_methods, reason = "signing keys are the platform's")]
fn newest_first() -> Select<Entity> {
    Entity::find()
        .order_by_desc(Column::CreatedAt)
        .order_by_desc(Column::KeyId)
}

/// Lets one transaction at a time add keys. A SQLite file has one that writes in any case.
pub(crate) async fn lock(transaction: &impl ConnectionTrait) -> Result<()> {
    if transaction.get_database_backend() == DbBackend::Postgres {
        let lock = "LOCK TABLE signing_keys IN SHARE ROW EXCLUSIVE MODE";
        transaction.execute_unprepared(lock).await.map_err(failed)?;
    }
    Ok(())
}

/// The keys that may sign new tokens, newest first: one, unless the platform's clocks differ.
pub(crate) async fn current(connection: &impl ConnectionTrait) -> Result<Vec<Model>> {
    let keys = newest_first().filter(Column::RetiredAt.is_null());
    keys.all(connection).await.map_err(failed)
}

/// Replaces the sealed private half of a key.
pub(crate) async fn seal_anew(
    transaction: &impl ConnectionTrait,
    key: KeyId,
    sealed: Vec<u8>,
) -> Result<()> {
    #[expect(clippy::disallowed_methods, reason = "a signing key has no community")]
    let update = Entity::update_many()
        .col_expr(Column::SealedPrivateKey, Expr::value(sealed))
        .filter(Column::KeyId.eq(key));
    update.exec(transaction).await.map_err(failed)?;
    Ok(())
}

/// The keys that a valid token may be signed with, newest first.
pub(crate) async fn list(connection: &impl ConnectionTrait) -> Result<Vec<Model>> {
    let horizon = Timestamp::now().minus(LISTED_AFTER_RETIREMENT).as_millis();
    let listed = Condition::any()
        .add(Column::RetiredAt.is_null())
        .add(Column::RetiredAt.gt(horizon));
    let mut keys = newest_first()
        .filter(listed)
        .all(connection)
        .await
        .map_err(failed)?;
    // The key that signs comes first even when the clock stepped back.
    keys.sort_by_key(|key| key.retired_at.is_some());
    Ok(keys)
}

/// Stores a key; tokens are signed with it from now on.
pub(crate) async fn insert(
    transaction: &impl ConnectionTrait,
    key_id: KeyId,
    public_key: Vec<u8>,
    sealed_private_key: Vec<u8>,
) -> Result<()> {
    let row = ActiveModel {
        key_id: Set(key_id),
        public_key: Set(public_key),
        sealed_private_key: Set(Some(sealed_private_key)),
        created_at: Set(Timestamp::now().as_millis()),
        retired_at: Set(None),
    };
    Entity::insert(row)
        .exec_without_returning(transaction)
        .await
        .map_err(failed)?;
    Ok(())
}

/// Retires every key: they no longer sign, and their private halves are removed.
#[expect(clippy::disallowed_methods, reason = "a signing key has no community")]
pub(crate) async fn retire_all(transaction: &impl ConnectionTrait) -> Result<()> {
    Entity::update_many()
        .col_expr(Column::RetiredAt, Expr::value(Timestamp::now().as_millis()))
        .col_expr(Column::SealedPrivateKey, Expr::value(None::<Vec<u8>>))
        .filter(Column::RetiredAt.is_null())
        .exec(transaction)
        .await
        .map_err(failed)?;
    Ok(())
}

/// Removes the key with this id, or every key without one; how many there were.
#[expect(clippy::disallowed_methods, reason = "a signing key has no community")]
pub(crate) async fn remove(
    transaction: &impl ConnectionTrait,
    key_id: Option<KeyId>,
) -> Result<u64> {
    let mut keys = Entity::delete_many();
    if let Some(key_id) = key_id {
        keys = keys.filter(Column::KeyId.eq(key_id));
    }
    let removed = keys.exec(transaction).await.map_err(failed)?;
    Ok(removed.rows_affected)
}
