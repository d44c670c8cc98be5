//! Outgoing webhooks. Their secrets are sealed.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use guildhall_data::{
    ChannelId, CommunityId, Limited, Quota, Tenant, WebhookId, failed, resource, seal::Place,
};
use guildhall_proto::webhooks::v1::DisabledReason as DisabledReasonProto;
use guildhall_runtime::{Reason, Result, Timestamp};
use guildhall_types::proto_enum;
use sea_orm::{ConnectionTrait, ExprTrait, FromJsonQueryResult, entity::prelude::*};
use serde::{Deserialize, Serialize};

use crate::domain::{
    EventKinds, Mode,
    subscription::{CLOCKS, Subscription},
};

/// An outgoing webhook.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "outgoing_webhooks")]
pub struct Model {
    /// The community.
    #[sea_orm(primary_key, auto_increment = false)]
    pub community_id: CommunityId,
    /// The webhook.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: WebhookId,
    /// The name shown to admins.
    pub name: String,
    /// Where deliveries go.
    pub url: String,
    /// Hash of url and events, unique in the community.
    pub fingerprint: Vec<u8>,
    /// What it tells of, a bit for each kind.
    pub events: i32,
    /// The channels of `channel_message_posted`.
    pub channel_ids: ChannelIds,
    /// Incoming webhooks whose messages it does not tell of.
    pub ignored_incoming_ids: WebhookIds,
    /// Whether it delivers.
    pub enabled: bool,
    /// It tells of nothing that happened before, in milliseconds.
    pub active_since: i64,
    /// Whether bulk imports tell of each member.
    pub joins_on_bulk_import: bool,
    /// Whether bodies are encrypted.
    pub encrypted: bool,
    /// How.
    pub encryption_mode: Mode,
    /// With what, sealed.
    pub encryption_key: Option<Vec<u8>>,
    /// What is sent as `x-api-key`, sealed.
    pub api_key: Option<Vec<u8>>,
    /// What it signs with, sealed.
    pub secret: Vec<u8>,
    /// Secrets that sign, too, for a while; the oldest first.
    pub old_secrets: OldSecrets,
    /// Attempts in a row that failed.
    pub consecutive_failures: i32,
    /// When the first of them ended, in milliseconds.
    pub failing_since: Option<i64>,
    /// Why the platform switched it off.
    pub disabled_reason: Option<DisabledReason>,
    /// When it was made, in milliseconds.
    pub created_at: i64,
    /// When an admin last changed it, in milliseconds.
    pub updated_at: i64,
}

/// A JSON array of channels.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, FromJsonQueryResult)]
pub struct ChannelIds(pub Vec<ChannelId>);

/// A JSON array of webhooks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, FromJsonQueryResult)]
pub struct WebhookIds(pub Vec<WebhookId>);

/// A JSON array of secrets that were replaced.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, FromJsonQueryResult)]
pub struct OldSecrets(pub Vec<OldSecret>);

/// A secret that was replaced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OldSecret {
    /// Sealed, in hex.
    #[serde(with = "hex")]
    pub sealed: Vec<u8>,
    /// How long it signs, in milliseconds.
    pub until: i64,
}

impl OldSecrets {
    /// Those that still sign, the newest first.
    pub fn signing(&self, now: Timestamp) -> impl Iterator<Item = &OldSecret> {
        let now = now.as_millis();
        self.0.iter().rev().filter(move |old| now < old.until)
    }
}

/// Why the platform switched a webhook off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "i16", db_type = "SmallInteger")]
pub enum DisabledReason {
    /// Its receiver answered 410.
    #[sea_orm(num_value = 1)]
    Gone,
    /// Five days without one success.
    #[sea_orm(num_value = 2)]
    Failing,
}

proto_enum!(DisabledReason as DisabledReasonProto { Gone, Failing });

resource! {
    id: WebhookId,
    not_found: (Reason::WebhookNotFound, "Webhook not found."),
    taken: "An outgoing webhook with this url and these events exists already",
}

impl Limited for Entity {
    /// As the contract says (events, "Management").
    const QUOTA: Quota = Quota {
        resource: 3,
        max: 50,
        name: "outgoing webhooks",
        reason: Reason::InvalidValue,
    };
}

/// A column whose values are sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SealedColumn {
    /// `encryption_key`.
    EncryptionKey,
    /// `api_key`.
    ApiKey,
    /// `secret`.
    Secret,
    /// `old_secrets`, each of which is sealed by itself.
    OldSecrets,
}

impl Model {
    /// Where a sealed value of it lies.
    #[must_use]
    pub fn place(&self, column: SealedColumn) -> Place {
        let column = match column {
            SealedColumn::EncryptionKey => "outgoing_webhooks.encryption_key",
            SealedColumn::ApiKey => "outgoing_webhooks.api_key",
            SealedColumn::Secret => "outgoing_webhooks.secret",
            SealedColumn::OldSecrets => "outgoing_webhooks.old_secrets",
        };
        Place::of_community(self.community_id, column, [self.id.to_string()])
    }

    /// What it tells of.
    #[must_use]
    pub fn kinds(&self) -> EventKinds {
        EventKinds::from_bits(self.events)
    }

    fn subscription(&self, now: Timestamp) -> Subscription {
        // One that lies ahead was written before the clock was set back.
        let active_since = Timestamp::from_millis(self.active_since).min(now);
        Subscription {
            webhook: self.id,
            kinds: self.kinds(),
            channels: self.channel_ids.0.iter().copied().collect(),
            ignored: self.ignored_incoming_ids.0.iter().copied().collect(),
            active_since: active_since.minus(CLOCKS),
            joins_on_bulk_import: self.joins_on_bulk_import,
        }
    }

    /// Whether attempts have failed for so long, without one success.
    #[must_use]
    pub fn fails_for(&self, time: Duration) -> bool {
        let horizon = Timestamp::now().minus(time).as_millis();
        self.failing_since.is_some_and(|since| since <= horizon)
    }
}

/// What the enabled webhooks of communities want now. Events that have arrived before are matched
/// with it: who was answered that a webhook is on, and then caused one, must find it told.
///
/// # Errors
/// When the query fails.
pub async fn subscriptions(
    connection: &impl ConnectionTrait,
    communities: HashSet<CommunityId>,
) -> Result<HashMap<CommunityId, Vec<Subscription>>> {
    let now = Timestamp::now();
    let mut found: HashMap<_, Vec<_>> = HashMap::new();
    for webhook in enabled(connection, communities).await? {
        let subscription = webhook.subscription(now);
        let of_community = found.entry(webhook.community_id).or_default();
        of_community.push(subscription);
    }
    Ok(found)
}

/// The webhooks of these communities that are on.
///
/// # Errors
/// When the query fails.
#[expect(
    clippy::disallowed_methods,
    reason = "events of many communities arrive together"
)]
async fn enabled(
    connection: &impl ConnectionTrait,
    communities: HashSet<CommunityId>,
) -> Result<Vec<Model>> {
    if communities.is_empty() {
        return Ok(Vec::new());
    }
    let query = Entity::find()
        .filter(Column::CommunityId.is_in(communities))
        .filter(Column::Enabled.eq(true));
    query.all(connection).await.map_err(failed)
}

/// Switches a webhook off; whether it was on.
///
/// # Errors
/// When the statement fails: roll back.
pub async fn disable(
    transaction: &impl ConnectionTrait,
    community: CommunityId,
    id: WebhookId,
    reason: DisabledReason,
) -> Result<bool> {
    let disabled = Entity::changing(community)
        .col_expr(Column::Enabled, Expr::val(false))
        .col_expr(Column::DisabledReason, Expr::val(reason))
        .filter(Column::Id.eq(id))
        .filter(Column::Enabled.eq(true))
        .exec(transaction)
        .await
        .map_err(failed)?;
    Ok(disabled.rows_affected > 0)
}

/// An attempt succeeded: none failed since.
///
/// # Errors
/// When the statement fails: roll back.
pub async fn succeeded(
    transaction: &impl ConnectionTrait,
    community: CommunityId,
    id: WebhookId,
) -> Result<()> {
    Entity::changing(community)
        .col_expr(Column::ConsecutiveFailures, Expr::val(0))
        .col_expr(Column::FailingSince, Expr::val(None::<i64>))
        .filter(Column::Id.eq(id))
        .filter(Column::ConsecutiveFailures.ne(0))
        .exec(transaction)
        .await
        .map_err(failed)?;
    Ok(())
}

/// So many attempts failed, one after the other.
///
/// # Errors
/// When the statement fails: roll back.
pub async fn add_failures(
    transaction: &impl ConnectionTrait,
    community: CommunityId,
    id: WebhookId,
    failures: i32,
) -> Result<()> {
    let now = Expr::val(Timestamp::now().as_millis());
    let since = Expr::col(Column::FailingSince).if_null(now);
    let counted = Expr::col(Column::ConsecutiveFailures).add(failures);
    Entity::changing(community)
        .col_expr(Column::ConsecutiveFailures, counted)
        .col_expr(Column::FailingSince, since)
        .filter(Column::Id.eq(id))
        .exec(transaction)
        .await
        .map_err(failed)?;
    Ok(())
}
