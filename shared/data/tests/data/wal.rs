//! The write-ahead log of a SQLite file under load.

use std::{
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use guildhall_data::{CommunityId, Database, Storage, Tenant, idempotency::entity};
use sea_orm::{EntityTrait, QueryFilter, QuerySelect, Set, sea_query::Expr};
use tempfile::TempDir;

use crate::fixture::{Migrator, row};

/// Bytes that the log may come to: it is long at 8 MiB, and a commit may lie on top.
const BOUND: u64 = 16 << 20;
/// Bytes that are written, several times as many.
const LOAD: usize = 64 << 20;
/// Bytes of a commit.
const COMMIT: usize = 256 << 10;
/// How long the load may take.
const TIMEOUT: Duration = Duration::from_secs(90);

async fn open(folder: &TempDir) -> Database {
    let storage = Storage::files(folder.path());
    Database::open::<Migrator>(&storage, "test").await.unwrap()
}

fn length(log: &Path) -> u64 {
    fs::metadata(log).unwrap().len()
}

/// Reads that overlap, so that at every moment somebody reads.
fn read_all_the_time(database: &Database, community: CommunityId, over: &Arc<AtomicBool>) {
    for _ in 0..4 {
        let (database, over) = (database.clone(), Arc::clone(over));
        tokio::spawn(async move {
            while !over.load(Relaxed) {
                let slow = entity::Entity::within(community)
                    .filter(Expr::cust("length(answer) >= 0"))
                    .select_only()
                    .column(entity::Column::Key)
                    .into_tuple::<String>();
                slow.all(database.reader()).await.unwrap();
            }
        });
    }
}

/// Writes until enough is written; the most that the log came to.
async fn length_under_load(write: impl AsyncFn(&Database, entity::ActiveModel)) -> u64 {
    let folder = TempDir::new().unwrap();
    let database = open(&folder).await;
    let community = CommunityId::generate();
    let over = Arc::new(AtomicBool::new(false));
    read_all_the_time(&database, community, &over);
    let log = folder.path().join("test.db-wal");
    let (began, mut longest) = (Instant::now(), 0);
    for number in 0..LOAD / COMMIT {
        let mut row = row(community, &number.to_string(), 0);
        row.answer = Set(vec![7; COMMIT]);
        write(&database, row).await;
        longest = longest.max(length(&log));
        assert!(began.elapsed() < TIMEOUT, "the load takes too long");
    }
    over.store(true, Relaxed);
    longest
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_stays_short_under_group_commits_and_reads() {
    let longest = length_under_load(async |database: &Database, row| {
        let file = database.file().unwrap();
        file.write(|transaction| transaction.insert::<entity::Entity>(&[row]))
            .await
            .unwrap();
    });
    let longest = longest.await;
    assert!(longest < BOUND, "{longest} bytes");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_stays_short_under_transactions_and_reads() {
    let longest = length_under_load(async |database: &Database, row| {
        let transaction = database.begin().await.unwrap();
        entity::Entity::insert(row)
            .exec_without_returning(&transaction)
            .await
            .unwrap();
        Database::commit(transaction).await.unwrap();
    });
    let longest = longest.await;
    assert!(longest < BOUND, "{longest} bytes");
}
