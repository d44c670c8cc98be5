//! Whoever passes events on, or handles them, is killed (SIGKILL) at the worst moments. Each part
//! is a process of its own: this executable, started once more.

use std::{env, thread, time::Duration};

use guildhall_events::jetstream::{consume, publish};
use guildhall_runtime::Shutdown;
use guildhall_testkit::{Chance, kills};

use crate::{
    ledger::{Ledger, Source, end_leases, rows},
    load::Load,
    pipeline::{Pipeline, StreamObserver, consumer, storage, streams},
    subprocess::{Subprocess, until_parent_exits},
};

const DATABASE: &str = "GUILDHALL_TEST_DATABASE";
const BROKER: &str = "GUILDHALL_TEST_BROKER";
/// What the consumer's process says when effects are committed.
const COMMITTED: &str = "committed";

/// How long each of the writers rests.
const PACE: Duration = Duration::from_millis(100);
/// So many events wait at least for each of the relays.
const BACKLOG: usize = 100;
/// Relays that are killed in a round.
const RELAYS: usize = 3;
/// Every so many relays, one lives until it has remembered how far it came.
const REMEMBERS: usize = 9;

impl Pipeline {
    fn start(&self, part: &str) -> Subprocess {
        let variables = [
            (DATABASE, self.postgres.url("test")),
            (BROKER, self.nats.url()),
        ];
        Subprocess::start(module_path!(), part, &variables)
    }

    /// How far it is remembered that events were passed on.
    async fn remembered(&self) -> i64 {
        let remembered = "SELECT coalesce(max(position), 0) FROM event_cursors";
        let row = &rows(&self.source.database, remembered).await[0];
        row.try_get_by_index(0).unwrap()
    }

    async fn remembers_more_than(&self, position: i64) {
        while self.remembered().await <= position {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// What a part of a test is told; none for who runs all ignored tests.
fn told() -> Option<(String, String)> {
    Some((env::var(DATABASE).ok()?, env::var(BROKER).ok()?))
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a part of a test, in a process of its own"]
async fn relays_until_killed() {
    let Some((database, broker)) = told() else {
        return;
    };
    let source = Source::open(&storage(&database)).await;
    publish(&source.outbox, &streams(&broker), &Shutdown::default());
    until_parent_exits().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a part of a test, in a process of its own"]
async fn handles_until_killed() {
    let Some((database, broker)) = told() else {
        return;
    };
    let (storage, shutdown) = (storage(&database), Shutdown::default());
    // Its effects are committed: nothing may be acknowledged any more.
    let ledger = Ledger::open_and_then(&storage, &shutdown, || {
        println!("\n{COMMITTED}");
        loop {
            thread::park();
        }
    });
    let ledger = ledger.await;
    let (consumer, database) = (&ledger.consumer, &ledger.database);
    consume(
        consumer,
        database,
        &["source"],
        &streams(&broker),
        &shutdown,
    );
    until_parent_exits().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_is_killed_again_and_again_in_mid_batch() {
    let mut chance = Chance::seeded("kills of the relay");
    let mut pipeline = Pipeline::new().await;
    let mut observer = StreamObserver::new(&pipeline.nats).await;
    pipeline.consume();
    let load = Load::start(&pipeline.source, PACE);
    let mut in_mid_batch = 0;
    let relays = RELAYS * kills();
    for relay in 1..=relays {
        load.reaches(observer.events() + BACKLOG).await;
        let remembered = pipeline.remembered().await;
        let first = observer.events() + 1;
        let process = pipeline.start("relays_until_killed");
        if relay % REMEMBERS == 0 {
            pipeline.remembers_more_than(remembered).await;
        } else {
            observer.reaches(first + chance.below(BACKLOG / 2)).await;
        }
        process.kill9().await;
        // It has passed events on, and did not come to remember it.
        in_mid_batch += usize::from(pipeline.remembered().await == remembered);
        pipeline.source.end_leases().await;
    }
    let told = load.end().await;
    pipeline.publish();
    pipeline.expect_handled(&told).await;

    let again = observer.again();
    println!(
        "{relays} relays killed, {in_mid_batch} in mid-batch: {} events committed, {} given up, \
         {again} passed on again",
        told.committed.len(),
        told.refused.len(),
    );
    assert!(in_mid_batch > relays / 2, "most kills come too late");
    assert!(again > relays, "the kills did no harm");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_is_killed_between_effect_and_acknowledgement() {
    let mut pipeline = Pipeline::new().await;
    pipeline.publish();
    let load = Load::start(&pipeline.source, PACE);
    load.goes_on(1).await;
    for _ in 0..kills() {
        let mut process = pipeline.start("handles_until_killed");
        process.says(COMMITTED).await;
        let info = consumer(&pipeline.nats).await.cached_info().clone();
        let handled: usize = pipeline.ledger.pages().await.values().map(Vec::len).sum();
        let acknowledged = usize::try_from(info.ack_floor.stream_sequence).unwrap();
        assert!(
            info.num_ack_pending > 0 && acknowledged < handled,
            "{info:?}"
        );
        process.kill9().await;
        end_leases(&pipeline.ledger.database).await;
        load.goes_on(BACKLOG).await;
    }
    let told = load.end().await;
    pipeline.consume();
    pipeline.expect_handled(&told).await;
}
