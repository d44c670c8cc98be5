//! What an operator does from the command line, past every access rule: nothing of this can be
//! reached over the network.

use guildhall_data::{CommunityId, Database, EventId, Limited, Storage, WorkflowId};
use guildhall_events::consumer::parked::{self, Parked};
use guildhall_runtime::Result;
use zeroize::Zeroizing;

use crate::{migration::Migrator, store::workflows};

/// Makes a workflow in the database in `storage`; its id, and its API key, which is nowhere else.
///
/// # Errors
/// When the database cannot be opened, the name is bad, or the community has too many.
pub async fn create_workflow(
    storage: &Storage,
    community: CommunityId,
    name: &str,
) -> Result<(WorkflowId, Zeroizing<String>)> {
    let database = Database::open::<Migrator>(storage, "webhooks").await?;
    let (workflow, api_key) = workflows::new(community, name)?;
    let transaction = database.begin().await?;
    workflows::Entity::insert_one_more(&transaction, community, &workflow).await?;
    Database::commit(transaction).await?;
    Ok((workflow.id, api_key.reveal()))
}

/// Events that could not be handled, in the database in `storage`, with those that wait behind
/// them: oldest first, at most `limit`.
///
/// # Errors
/// When the database cannot be opened.
pub async fn parked_events(storage: &Storage, limit: u64) -> Result<Vec<Parked>> {
    let database = Database::open::<Migrator>(storage, "webhooks").await?;
    parked::list(&database, limit).await
}

/// Has parked events tried again by the service that runs, all or one; how many.
///
/// # Errors
/// When the database cannot be opened.
pub async fn replay_events(storage: &Storage, event: Option<EventId>) -> Result<u64> {
    let database = Database::open::<Migrator>(storage, "webhooks").await?;
    parked::replay(&database, event).await
}
