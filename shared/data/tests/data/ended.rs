//! A transaction that SQLite ends by itself, as it may when the disk is full.

use guildhall_data::{CommunityId, Database, Storage, Tenant, idempotency::entity};
use sea_orm::{ConnectionTrait, EntityTrait, PaginatorTrait};
use tempfile::TempDir;

use crate::fixture::{Migrator, row};

#[tokio::test]
async fn what_is_committed_after_it_is_stored() {
    let folder = TempDir::new().unwrap();
    let storage = Storage::files(folder.path());
    let database = Database::open::<Migrator>(&storage, "test").await.unwrap();
    let ended = database.begin().await.unwrap();
    ended.execute_unprepared("ROLLBACK").await.unwrap();
    drop(ended);
    let given_up = database.begin().await.unwrap();
    drop(given_up);

    let community = CommunityId::generate();
    let transaction = database.begin().await.unwrap();
    entity::Entity::insert(row(community, "key", 0))
        .exec_without_returning(&transaction)
        .await
        .unwrap();
    Database::commit(transaction).await.unwrap();

    let stored = entity::Entity::within(community).count(database.reader());
    assert_eq!(stored.await.unwrap(), 1);
}
