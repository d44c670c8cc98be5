//! Workflows. Their API keys are nowhere: only digests are kept.

use guildhall_data::{CommunityId, Limited, Quota, Resource, Tenant, WorkflowId, failed, resource};
use guildhall_runtime::{Reason, Result, Timestamp};
use guildhall_types::text;
use sea_orm::{Condition, ConnectionTrait, ExprTrait, entity::prelude::*};

use crate::domain::{ApiKey, MAX_NAME};

/// A workflow.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "workflows")]
pub struct Model {
    /// The community that hears of its events.
    #[sea_orm(primary_key, auto_increment = false)]
    pub community_id: CommunityId,
    /// The workflow.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: WorkflowId,
    /// The name shown to admins.
    pub name: String,
    /// SHA-256 of its API key.
    pub api_key_digest: Vec<u8>,
    /// When it was made, in milliseconds.
    pub created_at: i64,
    /// The day (UTC, since 1970) on which its last event came.
    pub bytes_day: i64,
    /// The bytes of its events on that day.
    pub bytes: i64,
}

resource! {
    id: WorkflowId,
    not_found: (Reason::WorkflowNotFound, "Workflow not found"),
}

impl Limited for Entity {
    /// As the contract says (events, "Workflow webhooks").
    const QUOTA: Quota = Quota {
        resource: 2,
        max: 50,
        name: "workflows",
        reason: Reason::InvalidValue,
    };
}

/// A workflow to store, and its API key.
///
/// # Errors
/// What is wrong with its name.
pub fn new(community: CommunityId, name: &str) -> Result<(Model, ApiKey)> {
    let api_key = ApiKey::generate()?;
    let workflow = Model {
        community_id: community,
        id: WorkflowId::generate(),
        name: text::line("name", name, MAX_NAME)?,
        api_key_digest: api_key.digest(),
        created_at: Timestamp::now().as_millis(),
        bytes_day: 0,
        bytes: 0,
    };
    Ok((workflow, api_key))
}

/// Counts `bytes` more of a workflow's events of `day`, if they are no more than `max` then; whether
/// they are. One statement counts and decides, so that all replicas share the figure.
///
/// # Errors
/// When the statement fails: roll back.
pub async fn count_bytes(
    transaction: &impl ConnectionTrait,
    workflow: &Model,
    day: i64,
    bytes: i64,
    max: i64,
) -> Result<bool> {
    // By the clock of a replica that is behind, it is still the day before.
    let same_day = || Expr::col(Column::BytesDay).gte(day);
    let more = || Expr::col(Column::Bytes).add(bytes);
    let counted = Entity::changing(workflow.community_id)
        .col_expr(
            Column::Bytes,
            Expr::case(same_day(), more()).finally(bytes).into(),
        )
        .col_expr(
            Column::BytesDay,
            Expr::case(same_day(), Expr::col(Column::BytesDay))
                .finally(day)
                .into(),
        )
        .filter(Column::Id.eq(workflow.id))
        .filter(
            Condition::any()
                .add(Column::BytesDay.lt(day))
                .add(more().lte(max)),
        )
        .exec(transaction)
        .await
        .map_err(failed)?;
    Ok(counted.rows_affected > 0)
}

/// The workflow with this id, whose callers say nothing else.
///
/// # Errors
/// WORKFLOW_NOT_FOUND.
pub async fn get_open(connection: &impl ConnectionTrait, id: WorkflowId) -> Result<Model> {
    #[expect(
        clippy::disallowed_methods,
        reason = "the workflow says which community it is"
    )]
    let query = Entity::find().filter(Column::Id.eq(id));
    let workflow = query.one(connection).await.map_err(failed)?;
    workflow.ok_or_else(Entity::not_found)
}
