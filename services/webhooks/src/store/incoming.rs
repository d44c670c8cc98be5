//! Incoming webhooks. Their API keys are nowhere, their AES keys are sealed.

use std::time::Duration;

use guildhall_data::{CommunityId, Tenant, WebhookId, failed};
use guildhall_runtime::{Error, Reason, Result, Timestamp};
use sea_orm::{
    ActiveModelTrait, Condition, ConnectionTrait, ExprTrait, IntoActiveModel, QueryOrder,
    QuerySelect, entity::prelude::*,
};

use super::quotas::{self, Resource};
use crate::domain::{Address, Mode, incoming::Kind};

/// How exactly a webhook remembers when it was called last.
pub const USE_PRECISION: Duration = Duration::from_secs(60);

/// An incoming webhook.
#[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "incoming_webhooks")]
pub struct Model {
    /// The community in which it acts.
    #[sea_orm(primary_key, auto_increment = false)]
    pub community_id: CommunityId,
    /// The webhook.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: WebhookId,
    /// The name shown to admins.
    pub name: String,
    /// What it does.
    pub kind: Kind,
    /// The last part of its url, unique.
    pub address: String,
    /// What its callers may do: an encoded `IncomingSettings`.
    pub settings: Vec<u8>,
    /// Whether callers must present its API key.
    pub api_key_enabled: bool,
    /// SHA-256 of its API key; none until it has one.
    pub api_key_digest: Option<Vec<u8>>,
    /// Whether bodies are encrypted.
    pub encryption_enabled: bool,
    /// How.
    pub encryption_mode: Mode,
    /// The AES key, sealed; none until it has one.
    pub encryption_key: Option<Vec<u8>>,
    /// Whether it is answered.
    pub enabled: bool,
    /// When it was made, in milliseconds.
    pub created_at: i64,
    /// When it was last changed, in milliseconds.
    pub updated_at: i64,
    /// When it was last called, in milliseconds, to the minute.
    pub last_used_at: Option<i64>,
}

/// Shows neither its address nor what opens it.
impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Model")
            .field("community_id", &self.community_id)
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// Its relations: none, rows stand alone.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Tenant for Entity {
    const COMMUNITY: Column = Column::CommunityId;
}

/// The oldest webhooks of a community after `after` (creation and id of the last one seen), without
/// the first `skip`, at most `limit`.
///
/// # Errors
/// When the query fails.
pub async fn list(
    connection: &impl ConnectionTrait,
    community: CommunityId,
    after: Option<(i64, WebhookId)>,
    skip: u64,
    limit: u64,
) -> Result<Vec<Model>> {
    let mut query = Entity::within(community);
    if let Some((created_at, id)) = after {
        let place = Expr::tuple([Expr::col(Column::CreatedAt), Expr::col(Column::Id)]);
        query = query.filter(place.gt(Expr::tuple([Expr::val(created_at), Expr::val(id)])));
    }
    query
        .order_by_asc(Column::CreatedAt)
        .order_by_asc(Column::Id)
        .offset(skip)
        .limit(limit)
        .all(connection)
        .await
        .map_err(failed)
}

/// The webhook with this id.
///
/// # Errors
/// WEBHOOK_NOT_FOUND.
pub async fn find(
    connection: &impl ConnectionTrait,
    community: CommunityId,
    id: WebhookId,
) -> Result<Model> {
    let query = Entity::within(community).filter(Column::Id.eq(id));
    let webhook = query.one(connection).await.map_err(failed)?;
    webhook.ok_or_else(not_found)
}

/// The same, held until the transaction ends, so that changes follow each other.
///
/// # Errors
/// WEBHOOK_NOT_FOUND.
pub async fn hold(
    transaction: &impl ConnectionTrait,
    community: CommunityId,
    id: WebhookId,
) -> Result<Model> {
    let query = Entity::within(community).filter(Column::Id.eq(id));
    let webhook = query.lock_exclusive().one(transaction).await;
    webhook.map_err(failed)?.ok_or_else(not_found)
}

/// The webhook at this address, if it is answered.
///
/// # Errors
/// WEBHOOK_NOT_FOUND.
pub async fn find_open(connection: &impl ConnectionTrait, address: &Address) -> Result<Model> {
    #[expect(
        clippy::disallowed_methods,
        reason = "the address says which community it is"
    )]
    let query = Entity::find().filter(Column::Address.eq(address.as_str()));
    let query = query.filter(Column::Enabled.eq(true));
    let webhook = query.one(connection).await.map_err(failed)?;
    webhook.ok_or_else(not_found)
}

/// Stores a new webhook.
///
/// # Errors
/// INVALID_VALUE when the community has too many: roll back.
pub async fn insert(transaction: &impl ConnectionTrait, webhook: &Model) -> Result<()> {
    quotas::take(transaction, webhook.community_id, Resource::IncomingWebhook).await?;
    Entity::insert(webhook.clone().into_active_model())
        .exec_without_returning(transaction)
        .await
        .map_err(failed)?;
    Ok(())
}

/// Stores all of a webhook again but its last use, which others note.
///
/// # Errors
/// When the statement fails: roll back.
pub async fn update(transaction: &impl ConnectionTrait, webhook: &Model) -> Result<()> {
    let mut row = webhook.clone().into_active_model().reset_all();
    row.last_used_at = sea_orm::ActiveValue::NotSet;
    row.update(transaction).await.map_err(failed)?;
    Ok(())
}

/// Deletes a webhook.
///
/// # Errors
/// WEBHOOK_NOT_FOUND when somebody was faster.
pub async fn delete(
    transaction: &impl ConnectionTrait,
    community: CommunityId,
    id: WebhookId,
) -> Result<()> {
    let deleted = Entity::delete_many()
        .filter(Column::CommunityId.eq(community))
        .filter(Column::Id.eq(id))
        .exec(transaction)
        .await
        .map_err(failed)?;
    if deleted.rows_affected == 0 {
        return Err(not_found());
    }
    quotas::give_back(transaction, community, Resource::IncomingWebhook).await
}

/// Notes that a webhook was called, unless that was noted within the last minute.
///
/// # Errors
/// When the statement fails.
pub async fn note_use(
    transaction: &impl ConnectionTrait,
    community: CommunityId,
    id: WebhookId,
) -> Result<()> {
    let now = Timestamp::now();
    let is_due = Condition::any()
        .add(Column::LastUsedAt.is_null())
        .add(Column::LastUsedAt.lte(now.minus(USE_PRECISION).as_millis()));
    Entity::update_many()
        .col_expr(Column::LastUsedAt, Expr::value(now.as_millis()))
        .filter(Column::CommunityId.eq(community))
        .filter(Column::Id.eq(id))
        .filter(is_due)
        .exec(transaction)
        .await
        .map_err(failed)?;
    Ok(())
}

/// The error for a webhook that is not there, not answered, or not the caller's to see.
#[must_use]
pub fn not_found() -> Error {
    Error::new(Reason::WebhookNotFound, "Webhook not found.")
}
