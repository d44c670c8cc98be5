//! Clocks that jump: nothing depends on their being right. They are those of real processes, which
//! ask libfaketime for the time.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

use std::{
    env, fs,
    path::{Path, PathBuf},
    time::Duration,
};

use guildhall_data::Storage;
use guildhall_events::{
    jetstream::{consume, publish},
    local,
};
use guildhall_runtime::Shutdown;
use guildhall_testkit::{TestDatabase, python_packages};
use tempfile::TempDir;

use crate::{
    ledger::{Ledger, Pages, Source, end_leases, rows},
    load::{Load, expect_in_order, expect_same},
    pipeline::{Pipeline, storage, streams},
    subprocess::{Subprocess, until_parent_exits},
};

const FILES: &str = "GUILDHALL_TEST_FILES";
const DATABASE: &str = "GUILDHALL_TEST_DATABASE";
const BROKER: &str = "GUILDHALL_TEST_BROKER";
const PACKAGES: [&str; 1] = ["libfaketime==3.0.1"];
const LIBRARY: &str = "libfaketime/vendor/libfaketime/src/libfaketime.so.1";
/// How long each of the writers rests.
const PACE: Duration = Duration::from_millis(100);
/// Events between two jumps.
const EVENTS: usize = 300;
/// An hour forward, two back, three days forward, and right again.
const JUMPS: [&str; 4] = ["+1h", "-1h", "+3d", "+0"];
const TWO_HOURS: i64 = 2 * 3600 * 1000;

/// The clock of other processes.
struct Clock {
    library: PathBuf,
    folder: TempDir,
}

impl Clock {
    /// One that is right.
    async fn new() -> Self {
        let clock = Self {
            library: python_packages(&PACKAGES).await.join(LIBRARY),
            folder: tempfile::tempdir().unwrap(),
        };
        clock.set("+0");
        clock
    }

    /// Lets it go wrong by so much, at once.
    fn set(&self, offset: &str) {
        let new = self.folder.path().join("new");
        fs::write(&new, offset).unwrap();
        fs::rename(new, self.file()).unwrap();
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("offset")
    }

    /// Starts a part with this clock.
    fn start(&self, part: &str, told: &[(&'static str, String)]) -> Subprocess {
        let path = |path: &Path| path.display().to_string();
        let mut variables = vec![
            ("LD_PRELOAD", path(&self.library)),
            ("FAKETIME_TIMESTAMP_FILE", path(&self.file())),
            ("FAKETIME_NO_CACHE", "1".to_owned()),
            // As of a machine whose clock is set: what has passed has passed.
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
            ("DONT_FAKE_MONOTONIC", "1".to_owned()),
        ];
        variables.extend_from_slice(told);
        Subprocess::start(module_path!(), part, &variables)
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a part of a test, in a process of its own"]
async fn writes_and_relays_until_killed() {
    let (Ok(database), Ok(broker)) = (env::var(DATABASE), env::var(BROKER)) else {
        return;
    };
    let source = Source::open(&storage(&database)).await;
    publish(&source.outbox, &streams(&broker), &Shutdown::default());
    let _load = Load::start(&source, PACE);
    until_parent_exits().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a part of a test, in a process of its own"]
async fn handles_until_killed() {
    let (Ok(database), Ok(broker)) = (env::var(DATABASE), env::var(BROKER)) else {
        return;
    };
    let shutdown = Shutdown::default();
    let ledger = Ledger::open(&storage(&database), &shutdown).await;
    let (consumer, database) = (&ledger.consumer, &ledger.database);
    let streams = streams(&broker);
    consume(consumer, database, &["source"], &streams, &shutdown);
    until_parent_exits().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a part of a test, in a process of its own"]
async fn does_all_of_it_until_killed() {
    let Ok(files) = env::var(FILES) else {
        return;
    };
    let (storage, shutdown) = (Storage::files(Path::new(&files)), Shutdown::default());
    let source = Source::open(&storage).await;
    let ledger = Ledger::open(&storage, &shutdown).await;
    local::connect(&source.outbox, &ledger.consumer, &shutdown);
    let _load = Load::start(&source, PACE);
    until_parent_exits().await;
}

/// Waits until some more events are handled.
async fn go_on(ledger: &mut Ledger) {
    let handled = count(&ledger.pages().await);
    ledger.pages_of(handled + EVENTS).await;
}

fn count(pages: &Pages) -> usize {
    pages.values().map(Vec::len).sum()
}

/// The clock by which events were written has jumped.
async fn expect_jumps(source: &Source) {
    let spread = "SELECT max(created_at) - min(created_at) FROM outbox";
    let row = &rows(&source.database, spread).await[0];
    assert!(row.try_get_by_index::<i64>(0).unwrap() > TWO_HOURS);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_clocks_of_publisher_and_consumer_jump() {
    let mut pipeline = Pipeline::new().await;
    let (publishers, consumers) = (Clock::new().await, Clock::new().await);
    let told = [
        (DATABASE, pipeline.postgres.url("test")),
        (BROKER, pipeline.nats.url()),
    ];
    let publisher = publishers.start("writes_and_relays_until_killed", &told);
    let consumer = consumers.start("handles_until_killed", &told);
    go_on(&mut pipeline.ledger).await;
    for clock in [&publishers, &consumers] {
        for jump in JUMPS {
            clock.set(jump);
            go_on(&mut pipeline.ledger).await;
        }
    }
    publisher.kill9().await;
    consumer.kill9().await;
    pipeline.source.end_leases().await;
    end_leases(&pipeline.ledger.database).await;
    expect_jumps(&pipeline.source).await;
    pipeline.publish();
    pipeline.consume();
    let kept = pipeline.source.pages().await;
    expect_in_order(&kept);
    expect_same(&pipeline.ledger.pages_of(count(&kept)).await, &kept);
}

/// On a file the database's clock is that of the process: leases jump, too.
#[tokio::test(flavor = "multi_thread")]
async fn the_clock_of_one_process_jumps_and_is_set_back_before_its_next_start() {
    let (clock, home) = (Clock::new().await, TestDatabase::files());
    let storage = crate::ledger::storage(&home);
    let source = Source::open(&storage).await;
    let mut ledger = Ledger::open(&storage, &Shutdown::default()).await;
    let files = home.open(|path| path.display().to_string(), str::to_owned);
    let told = [(FILES, files)];
    let part = "does_all_of_it_until_killed";
    let process = clock.start(part, &told);
    go_on(&mut ledger).await;
    for jump in JUMPS {
        clock.set(jump);
        go_on(&mut ledger).await;
    }
    process.kill9().await;
    clock.set("+1h");
    let ahead = clock.start(part, &told);
    go_on(&mut ledger).await;
    ahead.kill9().await;
    clock.set("-1h");
    let behind = clock.start(part, &told);
    go_on(&mut ledger).await;
    behind.kill9().await;
    expect_jumps(&source).await;
    local::connect(&source.outbox, &ledger.consumer, &Shutdown::default());
    let kept = source.pages().await;
    expect_same(&ledger.pages_of(count(&kept)).await, &kept);
}
