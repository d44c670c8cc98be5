//! Workflows. Their API keys are nowhere: only digests are kept.

use guildhall_data::{CommunityId, Limited, Quota, Resource, WorkflowId, failed, resource};
use guildhall_runtime::{Reason, Result, Timestamp};
use guildhall_types::text;
use sea_orm::{ConnectionTrait, entity::prelude::*};

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
    };
    Ok((workflow, api_key))
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
