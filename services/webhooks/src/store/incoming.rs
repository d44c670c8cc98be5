//! Incoming webhooks. Their API keys are nowhere, their AES keys are sealed.

use std::time::Duration;

use guildhall_data::{
    CommunityId, Limited, Quota, Resource, Tenant, WebhookId, failed, resource, seal::Place,
};
use guildhall_runtime::{Reason, Result, Timestamp};
use sea_orm::{ActiveModelTrait, Condition, ConnectionTrait, IntoActiveModel, entity::prelude::*};

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

impl Model {
    /// Where its AES key lies, sealed.
    #[must_use]
    pub fn key_place(&self) -> Place {
        let column = "incoming_webhooks.encryption_key";
        Place::of_community(self.community_id, column, [self.id.to_string()])
    }
}

resource! {
    id: WebhookId,
    not_found: (Reason::WebhookNotFound, "Webhook not found."),
}

impl Limited for Entity {
    /// As the contract says (events, "Management").
    const QUOTA: Quota = Quota {
        resource: 1,
        max: 50,
        name: "incoming webhooks",
        reason: Reason::InvalidValue,
    };
}

/// The webhook at this address, if it is answered.
///
/// # Errors
/// WEBHOOK_NOT_FOUND.
pub async fn get_open(connection: &impl ConnectionTrait, address: &Address) -> Result<Model> {
    #[expect(
        clippy::disallowed_methods,
        reason = "the address says which community it is"
    )]
    let query = Entity::find().filter(Column::Address.eq(address.as_str()));
    let query = query.filter(Column::Enabled.eq(true));
    let webhook = query.one(connection).await.map_err(failed)?;
    webhook.ok_or_else(Entity::not_found)
}

/// Stores all of a webhook that was changed but its last use, which others note.
///
/// # Errors
/// When the statement fails: roll back.
pub async fn update(transaction: &impl ConnectionTrait, webhook: &Model) -> Result<()> {
    let mut row = webhook.clone().into_active_model().reset_all();
    row.last_used_at = sea_orm::ActiveValue::NotSet;
    Entity::update_columns(transaction, row).await
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
    Entity::changing(community)
        .col_expr(Column::LastUsedAt, Expr::value(now.as_millis()))
        .filter(Column::Id.eq(id))
        .filter(is_due)
        .exec(transaction)
        .await
        .map_err(failed)?;
    Ok(())
}
