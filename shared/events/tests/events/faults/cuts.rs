//! The database is cut off in mid-transaction, is killed, or has no space left: what was committed
//! is handled once and in order, and what was refused is nowhere.

use std::time::Duration;

use guildhall_data::Database;
use guildhall_events::{consumer::parked, jetstream::publish, local};
use guildhall_runtime::Shutdown;
use guildhall_testkit::{Chance, Mode, Proxy, TestDatabase, When, kills};
#[cfg(target_os = "linux")]
use sea_orm::{ConnectionTrait, DbErr};
use tokio::time::{sleep, timeout};

use crate::{
    ledger::{Ledger, Source, rows, run, storage},
    load::{Load, expect_handled},
    pipeline::{Pipeline, StreamObserver, stream, streams},
};

/// How long each of the writers rests.
const PACE: Duration = Duration::from_millis(50);
/// How long it may take until somebody sends what a trigger waits for.
const TIMEOUT: Duration = Duration::from_secs(30);
const WHENEVER: [When; 3] = [
    When::BeforeForwarding,
    When::AfterForwarding,
    When::BeforeAnswering,
];
/// How often a line is cut under load, in each round.
const RESETS: usize = 4;
/// A database that has no space left stays so, until so many events were refused.
const REFUSED: usize = 200;

impl Pipeline {
    /// Somebody passes the events on who reaches the database over a line of their own.
    async fn publish_over_a_line(&self) -> Proxy {
        let line = Proxy::start(self.postgres.address()).await;
        let source = self.source_through(line.address()).await;
        let streams = streams(&self.nats.url());
        publish(&source.outbox, &streams, &Shutdown::default());
        line
    }
}

/// Cuts the line as soon as somebody says this, from now on; ready when that has happened.
fn is_cut(line: &Proxy, pattern: &str, when: When) -> impl Future<Output = ()> {
    let cut = timeout(TIMEOUT, line.reset_when(pattern.as_bytes(), when));
    async { cut.await.expect("nobody says the pattern") }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_is_cut_off_in_mid_transaction() {
    let mut chance = Chance::seeded("cuts of the relay");
    let mut pipeline = Pipeline::new().await;
    let mut observer = StreamObserver::new(&pipeline.nats).await;
    let line = pipeline.publish_over_a_line().await;
    pipeline.consume();
    let load = Load::start(&pipeline.source, PACE);
    for _ in 0..RESETS * kills() {
        observer.goes_on(20).await;
        sleep(chance.moment(Duration::from_millis(30))).await;
        line.reset_all();
    }
    // By its creation the stream is known in what is remembered.
    let created = stream(&pipeline.nats).await.cached_info().created;
    let mark = created.unix_timestamp_nanos().to_string();
    for when in WHENEVER {
        for pattern in ["COMMIT", &mark] {
            observer.goes_on(20).await;
            let cut = is_cut(&line, pattern, when);
            // Whoever comes back remembers first how far they came, and need not be waited for.
            line.reset_all();
            cut.await;
        }
    }
    let told = load.end().await;
    pipeline.expect_handled(&told).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_comes_back_after_another_has_taken_over() {
    let mut pipeline = Pipeline::new().await;
    let mut observer = StreamObserver::new(&pipeline.nats).await;
    let line = pipeline.publish_over_a_line().await;
    pipeline.consume();
    let load = Load::start(&pipeline.source, PACE);
    observer.reaches(100).await;
    line.set(Mode::Blackhole);
    pipeline.publish();
    // Once the lease has run out.
    observer.reaches(load.committed() + 500).await;
    line.set(Mode::Pass);
    load.goes_on(1000).await;
    let told = load.end().await;
    pipeline.expect_handled(&told).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_is_cut_off_at_each_step_of_its_transaction() {
    const TIMES: usize = 5;
    let mut pipeline = Pipeline::new().await;
    let line = Proxy::start(pipeline.postgres.address()).await;
    let ledger = pipeline.ledger_through(line.address()).await;
    pipeline.publish();
    pipeline.consume_with(&ledger);
    let mut posted = Vec::new();
    // The effect's own text travels with it.
    for pattern in ["TEXT", "COMMIT"] {
        for when in WHENEVER {
            for _ in 0..TIMES {
                let text = format!("number {}.", posted.len());
                let pattern = pattern.replace("TEXT", &text);
                let cut = line.reset_when(pattern.as_bytes(), when);
                pipeline.source.post("key", &[&text]).await;
                timeout(TIMEOUT, cut).await.expect("it is said");
                posted.push(text);
                pipeline.ledger.pages_of(posted.len()).await;
            }
        }
    }
    assert_eq!(pipeline.ledger.page("key").await, posted);
    // Some of the last 10 were committed, and the answer to that was lost; of others the line was cut
    // as a lease was renewed.
    assert!(ledger.times_told() < posted.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_is_cut_off_again_and_again_under_load() {
    let mut chance = Chance::seeded("cuts of the consumer");
    let mut pipeline = Pipeline::new().await;
    let line = Proxy::start(pipeline.postgres.address()).await;
    let ledger = pipeline.ledger_through(line.address()).await;
    pipeline.publish();
    pipeline.consume_with(&ledger);
    let load = Load::start(&pipeline.source, PACE);
    let mut handled = 0;
    for round in 0..RESETS * kills() {
        let pages = pipeline.ledger.pages_of(handled + 20).await;
        handled = pages.values().map(Vec::len).sum();
        if round % 2 == 0 {
            sleep(chance.moment(Duration::from_millis(30))).await;
            line.reset_all();
        } else {
            // The key of an effect travels with it.
            let pattern = ["ann", "COMMIT"][chance.below(2)];
            is_cut(&line, pattern, WHENEVER[chance.below(3)]).await;
        }
    }
    let told = load.end().await;
    pipeline.expect_handled(&told).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_is_killed_and_restarted_under_load() {
    let mut chance = Chance::seeded("kills of the database");
    let mut pipeline = Pipeline::new().await;
    pipeline.publish();
    pipeline.consume();
    let load = Load::start(&pipeline.source, PACE);
    for _ in 0..kills() {
        load.goes_on(200).await;
        sleep(chance.moment(Duration::from_millis(300))).await;
        pipeline.postgres.kill9().await;
        load.is_refused(1).await;
        pipeline.postgres.start_again().await;
    }
    load.goes_on(200).await;
    let told = load.end().await;
    assert!(!told.refused.is_empty(), "no kill was noticed");
    pipeline.expect_handled(&told).await;
}

/// So many rows fill more than 16 MiB.
#[cfg(target_os = "linux")]
const ROWS: usize = 10_000;

/// Writes [`ROWS`] rows that are no events: below the first position nobody looks for any.
#[cfg(target_os = "linux")]
async fn fill(database: &Database, below: usize) -> Result<(), DbErr> {
    let fill = format!(
        "INSERT INTO outbox (position, event_id, community_id, partition, payload, created_at) \
         SELECT -{below} - n, '', '', 0, decode(repeat(md5(n::text), 110), 'hex'), 9e15 \
         FROM generate_series(1, {ROWS}) AS n"
    );
    let transaction = database.begin().await.unwrap();
    transaction.execute_unprepared(&fill).await?;
    Database::commit(transaction).await.unwrap();
    Ok(())
}

/// A server's file that may not grow stands for a disk without space. The files of PostgreSQL's own
/// log have 16 MiB, so the table must have as much.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn an_outbox_on_a_full_disk_refuses_and_goes_on_when_there_is_space() {
    let mut pipeline = Pipeline::new().await;
    fill(&pipeline.source.database, 0).await.unwrap();
    pipeline.publish();
    pipeline.consume();
    let load = Load::start(&pipeline.source, PACE);
    load.goes_on(500).await;
    let size = "SELECT pg_relation_size('outbox')";
    let size = &rows(&pipeline.source.database, size).await[0];
    let size = u64::try_from(size.try_get_by_index::<i64>(0).unwrap()).unwrap();
    assert!(size > 17 << 20, "{size}");
    pipeline.postgres.limit_files(Some(size)).await;
    // Until then the table has pages that are empty.
    let refused = fill(&pipeline.source.database, ROWS).await;
    assert!(refused.is_err(), "there is space");
    load.is_refused(REFUSED).await;
    pipeline.postgres.limit_files(None).await;
    load.goes_on(500).await;
    let told = load.end().await;
    pipeline.expect_handled(&told).await;
}

/// Lets a SQLite file grow no more, or again.
async fn limit(database: &Database, is_full: bool) {
    let count = &rows(database, "PRAGMA page_count").await[0];
    let count: i64 = count.try_get_by_index(0).unwrap();
    let limit = if is_full {
        count
    } else {
        i64::from(u32::MAX) - 1
    };
    run(database, &format!("PRAGMA max_page_count = {limit}")).await;
}

/// Lets a SQLite file grow no more until `done`. The limit is one of a connection, and a connection may
/// be replaced.
async fn while_full(database: &Database, done: impl Future<Output = ()>) {
    let mut again = tokio::time::interval(Duration::from_millis(50));
    let limits = async {
        loop {
            again.tick().await;
            limit(database, true).await;
        }
    };
    tokio::select! {
        () = done => limit(database, false).await,
        () = limits => {}
    }
}

async fn on_files() -> (TestDatabase, Source, Ledger) {
    let home = TestDatabase::files();
    let storage = storage(&home);
    let source = Source::open(&storage).await;
    let ledger = Ledger::open(&storage, &Shutdown::default()).await;
    local::connect(&source.outbox, &ledger.consumer, &Shutdown::default());
    (home, source, ledger)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outbox_in_a_full_file_refuses_and_goes_on_when_there_is_space() {
    let (_home, source, mut ledger) = on_files().await;
    let load = Load::start(&source, PACE);
    load.goes_on(500).await;
    while_full(&source.database, async {
        load.is_refused(REFUSED).await;
        // What was committed before needs no more space.
        ledger.pages_of(load.committed()).await;
    })
    .await;
    load.goes_on(500).await;
    let told = load.end().await;
    expect_handled(&mut ledger, &source, &told).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_in_a_full_file_waits_for_space() {
    let (_home, source, mut ledger) = on_files().await;
    let load = Load::start(&source, PACE);
    load.goes_on(500).await;
    while_full(&ledger.database, async {
        // Without waiting for what does not come.
        load.goes_on(2000).await;
        let handled: usize = ledger.pages().await.values().map(Vec::len).sum();
        assert!(handled + 500 < load.committed(), "there is space");
    })
    .await;
    let told = load.end().await;
    expect_handled(&mut ledger, &source, &told).await;
    assert_eq!(parked::list(&ledger.database, 10).await.unwrap(), []);
}
