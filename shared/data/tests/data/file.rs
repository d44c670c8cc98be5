//! Group commits on a SQLite file, beside all others who write to it.

use std::{fs, os::unix::fs::PermissionsExt, path::Path, time::Duration};

use futures::poll;
use guildhall_data::{
    CommunityId, Database, Storage, Tenant, Transaction, group_commit::Failure, idempotency::entity,
};
use guildhall_runtime::Reason;
use sea_orm::{EntityTrait, PaginatorTrait};
use tempfile::TempDir;
use tokio::{runtime::Handle, task, time::timeout};

use crate::fixture::{Migrator, row};

async fn open(folder: &TempDir) -> Database {
    let storage = Storage::files(folder.path());
    Database::open::<Migrator>(&storage, "test").await.unwrap()
}

async fn fresh() -> (TempDir, Database, CommunityId) {
    let folder = TempDir::new().unwrap();
    let database = open(&folder).await;
    (folder, database, CommunityId::generate())
}

async fn write(database: &Database, community: CommunityId, keys: &[&str]) -> Result<(), Failure> {
    let rows: Vec<_> = keys.iter().map(|key| row(community, key, 0)).collect();
    let file = database.file().unwrap();
    file.write(|transaction| transaction.insert::<entity::Entity>(&rows))
        .await
}

async fn insert(transaction: &Transaction, community: CommunityId, key: &str) {
    entity::Entity::insert(row(community, key, 0))
        .exec_without_returning(transaction)
        .await
        .unwrap();
}

async fn count(database: &Database, community: CommunityId) -> u64 {
    let rows = entity::Entity::within(community);
    rows.count(database.reader()).await.unwrap()
}

#[tokio::test]
async fn a_batch_that_fails_leaves_nothing_and_the_next_is_stored() {
    let (_folder, database, community) = fresh().await;
    let refused = write(&database, community, &["a", "b", "a"]).await;
    let Err(Failure::RolledBack(error)) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(error.reason(), Reason::AlreadyExists);
    assert_eq!(count(&database, community).await, 0);
    write(&database, community, &["a", "b"]).await.unwrap();
    assert_eq!(count(&database, community).await, 2);
}

#[tokio::test]
async fn nobody_else_may_read_what_is_made_and_what_they_may_is_refused() {
    let folder = TempDir::new().unwrap();
    let storage = Storage::files(&folder.path().join("data"));
    drop(Database::open::<Migrator>(&storage, "test").await.unwrap());
    let file = folder.path().join("data/test.db");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&file), mode(file.parent().unwrap())), (0o600, 0o700));
    for ending in ["db", "db-wal", "db-shm"] {
        let open = file.with_extension(ending);
        fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&open)
            .unwrap();
        fs::set_permissions(&open, PermissionsExt::from_mode(0o644)).unwrap();
        let refused = Database::open::<Migrator>(&storage, "test")
            .await
            .unwrap_err();
        let command = format!("chmod 600 {}", open.display());
        assert!(
            refused.with_causes().contains(&command),
            "{}",
            refused.with_causes()
        );
        fs::set_permissions(&open, PermissionsExt::from_mode(0o600)).unwrap();
    }
    Database::open::<Migrator>(&storage, "test").await.unwrap();
}

#[tokio::test]
async fn a_batch_waits_for_its_turn_and_others_for_theirs() {
    let (_folder, database, community) = fresh().await;
    let first = database.begin().await.unwrap();
    insert(&first, community, "first").await;

    let mut second = Box::pin(write(&database, community, &["second"]));
    assert!(poll!(&mut second).is_pending(), "two write at once");
    let mut third = Box::pin(database.begin());
    assert!(poll!(&mut third).is_pending(), "two write at once");

    Database::commit(first).await.unwrap();
    assert!(
        poll!(&mut third).is_pending(),
        "the third is before the second"
    );
    second.await.unwrap();
    let third = third.await.unwrap();
    insert(&third, community, "third").await;
    Database::commit(third).await.unwrap();
    assert_eq!(count(&database, community).await, 3);
}

#[tokio::test]
async fn a_transaction_that_is_given_up_gives_its_turn_on() {
    let (_folder, database, community) = fresh().await;
    let given_up = database.begin().await.unwrap();
    insert(&given_up, community, "given up").await;
    drop(given_up);
    write(&database, community, &["stays"]).await.unwrap();
    assert_eq!(count(&database, community).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_waits_for_another_process() {
    let (folder, database, community) = fresh().await;
    let other = open(&folder).await;
    let held = other.begin().await.unwrap();
    insert(&held, community, "of another process").await;
    let mut batch = task::spawn_blocking({
        let (database, runtime) = (database.clone(), Handle::current());
        move || runtime.block_on(write(&database, community, &["of this"]))
    });
    let moment = Duration::from_millis(50);
    assert!(
        timeout(moment, &mut batch).await.is_err(),
        "two write at once"
    );
    Database::commit(held).await.unwrap();
    batch.await.unwrap().unwrap();
    assert_eq!(count(&database, community).await, 2);
}
