//! Workflows. Their API keys are nowhere: only digests are kept.

use guildhall_data::{CommunityId, Tenant, WorkflowId, failed};
use guildhall_runtime::{Error, Reason, Result, Timestamp};
use sea_orm::{ConnectionTrait, IntoActiveModel, entity::prelude::*};

use super::quotas::{self, Resource};
use crate::domain::{ApiKey, text};

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

/// Its relations: none, rows stand alone.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Tenant for Entity {
    const COMMUNITY: Column = Column::CommunityId;
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
        name: text::name(name)?,
        api_key_digest: api_key.digest(),
        created_at: Timestamp::now().as_millis(),
    };
    Ok((workflow, api_key))
}

/// The workflow with this id, whose callers say nothing else.
///
/// # Errors
/// WORKFLOW_NOT_FOUND.
pub async fn find(connection: &impl ConnectionTrait, id: WorkflowId) -> Result<Model> {
    #[expect(
        clippy::disallowed_methods,
        reason = "the workflow says which community it is"
    )]
    let query = Entity::find().filter(Column::Id.eq(id));
    let workflow = query.one(connection).await.map_err(failed)?;
    workflow.ok_or_else(not_found)
}

/// Stores a new workflow.
///
/// # Errors
/// INVALID_VALUE when the community has too many: roll back.
pub async fn insert(transaction: &impl ConnectionTrait, workflow: &Model) -> Result<()> {
    quotas::take(transaction, workflow.community_id, Resource::Workflow).await?;
    Entity::insert(workflow.clone().into_active_model())
        .exec_without_returning(transaction)
        .await
        .map_err(failed)?;
    Ok(())
}

/// Deletes a workflow.
///
/// # Errors
/// WORKFLOW_NOT_FOUND when somebody was faster.
pub async fn delete(
    transaction: &impl ConnectionTrait,
    community: CommunityId,
    id: WorkflowId,
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
    quotas::give_back(transaction, community, Resource::Workflow).await
}

/// The error for a workflow that is not there, or not the caller's to see.
#[must_use]
pub fn not_found() -> Error {
    Error::new(Reason::WorkflowNotFound, "Workflow not found")
}
