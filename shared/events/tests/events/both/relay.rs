//! From the outbox to a consumer in the process, on a real SQLite file or PostgreSQL server.

use std::time::Duration;

use guildhall_events::{Retention, consumer::parked, local, outbox::Sweeper};
use guildhall_proto::events::v1::Event;
use guildhall_runtime::{Shutdown, Timestamp};
use guildhall_testkit::TestDatabase;
use prost::Message;
use tokio::{
    runtime::Runtime,
    time::{sleep, timeout},
};

use crate::ledger::{Ledger, POISON, Source, rows, run, storage};

async fn pipeline() -> (TestDatabase, Source, Ledger, Shutdown) {
    let home = TestDatabase::new().await;
    let (storage, shutdown) = (storage(&home), Shutdown::default());
    let source = Source::open(&storage).await;
    let ledger = Ledger::open(&storage, &shutdown).await;
    (home, source, ledger, shutdown)
}

fn numbers(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|number| number.to_string()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_event_is_handled_once_and_those_of_a_key_in_their_order() {
    let (_home, source, mut ledger, shutdown) = pipeline().await;
    local::connect(&source.outbox, &ledger.consumer, &shutdown);
    for number in 0..50 {
        let number = number.to_string();
        for key in ["ann", "bob", "cid", "dan"] {
            source.post(key, &[&number]).await;
        }
        let given_up = source.begin().await;
        source.write(&given_up, "ann", &["never"]).await;
        drop(given_up);
    }
    let pages = ledger.pages_of(200).await;
    assert_eq!(pages.len(), 4);
    for page in pages.values() {
        assert_eq!(*page, numbers(0..50));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_handled_before_a_crash_is_not_handled_again() {
    let (home, source, mut ledger, shutdown) = pipeline().await;
    // A process of its own, that ends in the middle without a word.
    let process = Runtime::new().unwrap();
    let (of_process, unheard) = (storage(&home), Shutdown::default());
    process.spawn(async move {
        let source = Source::open(&of_process).await;
        let ledger = Ledger::open(&of_process, &unheard).await;
        local::connect(&source.outbox, &ledger.consumer, &unheard);
        std::future::pending::<()>().await;
    });
    let all = numbers(0..300);
    for number in &all[..200] {
        source.post("key", &[number]).await;
    }
    ledger.pages_of(50).await;
    process.shutdown_background();
    for number in &all[200..] {
        source.post("key", &[number]).await;
    }
    source.end_leases().await;

    let mut next = Ledger::open(&storage(&home), &shutdown).await;
    local::connect(&source.outbox, &next.consumer, &shutdown);
    assert_eq!(next.pages_of(300).await["key"], all);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_processes_one_reads_and_the_other_takes_over() {
    let (home, source, mut ledger, first) = pipeline().await;
    local::connect(&source.outbox, &ledger.consumer, &first);
    source.post("key", &["0"]).await;
    ledger.pages_of(1).await;

    let second = Shutdown::default();
    let other = Ledger::open(&storage(&home), &second).await;
    local::connect(&source.outbox, &other.consumer, &second);
    source.post("key", &["1"]).await;
    ledger.pages_of(2).await;
    first.start();
    source.post("key", &["2"]).await;
    assert_eq!(ledger.pages_of(3).await["key"], numbers(0..3));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_cannot_be_handled_holds_up_its_own_key_alone() {
    let (_home, source, mut ledger, shutdown) = pipeline().await;
    local::connect(&source.outbox, &ledger.consumer, &shutdown);
    source.post("ann", &["0", POISON, "1"]).await;
    source.post("bob", &["0", "1"]).await;
    let pages = ledger.pages_of(3).await;
    assert_eq!(pages["bob"], numbers(0..2));
    assert_eq!(pages["ann"], ["0"]);
    source.post("ann", &["2"]).await;
    source.post("bob", &["2"]).await;
    ledger.pages_of(4).await;

    let look = async {
        loop {
            let waiting = parked::list(&ledger.database, 10).await.unwrap();
            if waiting.len() == 3 {
                return waiting;
            }
            sleep(Duration::from_millis(20)).await;
        }
    };
    let waiting = timeout(Duration::from_secs(20), look).await;
    let waiting = waiting.expect("three events are parked");
    assert!(waiting.iter().all(|parked| parked.key == "ann"));
    assert!(waiting[0].tries > 1 && waiting[0].error.contains("poison"));
    assert_eq!((waiting[1].tries, &*waiting[1].error), (0, ""));

    ledger.cure();
    assert_eq!(parked::replay(&ledger.database, None).await.unwrap(), 1);
    let page = &ledger.pages_of(7).await["ann"];
    assert_eq!(page[..], ["0", POISON, "1", "2"]);
    source.post("ann", &["3"]).await;
    ledger.pages_of(8).await;
    assert_eq!(parked::list(&ledger.database, 10).await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_because_something_is_away_waits_for_it() {
    let (_home, source, mut ledger, shutdown) = pipeline().await;
    local::connect(&source.outbox, &ledger.consumer, &shutdown);
    ledger.away(true);
    source.post("ann", &["0", "1"]).await;
    source.post("bob", &["0"]).await;
    sleep(Duration::from_millis(300)).await;
    assert!(ledger.pages().await.is_empty());
    ledger.away(false);
    assert_eq!(ledger.pages_of(3).await["ann"], numbers(0..2));
    assert_eq!(parked::list(&ledger.database, 10).await.unwrap(), []);
}

/// On SQLite one transaction writes at a time, and none can be overtaken.
#[tokio::test(flavor = "multi_thread")]
async fn an_event_whose_transaction_ends_late_is_not_lost() {
    let (home, source, mut ledger, shutdown) = pipeline().await;
    local::connect(&source.outbox, &ledger.consumer, &shutdown);
    let late = source.begin().await;
    source.write(&late, "late", &["0"]).await;
    let overtakes = matches!(home, TestDatabase::Postgres(_));
    if overtakes {
        for number in numbers(0..20) {
            source.post("early", &[&number]).await;
        }
        assert_eq!(ledger.pages_of(20).await["early"], numbers(0..20));
        // Longer than it takes to look for a missing row, again and again.
        sleep(Duration::from_millis(200)).await;
    }
    source.commit(late).await;
    let all = if overtakes { 21 } else { 1 };
    assert_eq!(ledger.pages_of(all).await["late"], ["0"]);
}

async fn left(source: &Source) -> usize {
    rows(&source.database, "SELECT 1 FROM outbox").await.len()
}

/// A reader that has come nowhere yet.
async fn is_stuck(source: &Source, ledger: &Ledger, shutdown: &Shutdown) {
    ledger.away(true);
    local::connect(&source.outbox, &ledger.consumer, shutdown);
    while leased_until(source).await == 0 {
        sleep(Duration::from_millis(20)).await;
    }
}

async fn leased_until(source: &Source) -> i64 {
    let leased = "SELECT coalesce(min(leased_until), 0) FROM event_cursors";
    let row = &rows(&source.database, leased).await[0];
    row.try_get_by_index(0).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_outbox_forgets_what_is_old_once_everybody_has_it() {
    let (_home, source, mut ledger, shutdown) = pipeline().await;
    let old = numbers(0..1200);
    let texts: Vec<_> = old.iter().map(String::as_str).collect();
    source.post("old", &texts).await;
    run(&source.database, "UPDATE outbox SET created_at = 0").await;
    source.post("new", &["0"]).await;
    is_stuck(&source, &ledger, &shutdown).await;
    let mut sweeper = Sweeper::of(&source.database, Retention::default());
    sweeper.round(Timestamp::now()).await.unwrap();
    assert_eq!(left(&source).await, 1201);
    ledger.away(false);
    ledger.pages_of(1201).await;
    shutdown.start();
    while left(&source).await != 1 {
        sweeper.round(Timestamp::now()).await.unwrap();
        sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_days_ahead_does_not_sweep_what_nobody_has_read() {
    let (_home, source, mut ledger, shutdown) = pipeline().await;
    source.post("key", &["0", "1", "2"]).await;
    is_stuck(&source, &ledger, &shutdown).await;
    let mut sweeper = Sweeper::of(&source.database, Retention::default());
    let ahead = Timestamp::now().plus(3 * Retention::default().of_events());
    for _ in 0..3 {
        let until = leased_until(&source).await;
        sweeper.round(ahead).await.unwrap();
        while leased_until(&source).await == until {
            sleep(Duration::from_millis(20)).await;
        }
    }
    ledger.away(false);
    assert_eq!(ledger.pages_of(3).await["key"], numbers(0..3));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_unread_when_all_was_switched_off_is_read_days_later() {
    let (home, source, ledger, shutdown) = pipeline().await;
    source.post("key", &["0", "1", "2"]).await;
    is_stuck(&source, &ledger, &shutdown).await;
    shutdown.start();
    while leased_until(&source).await != 0 {
        sleep(Duration::from_millis(20)).await;
    }
    run(&source.database, "UPDATE outbox SET created_at = 0").await;

    let (source, shutdown) = (Source::open(&storage(&home)).await, Shutdown::default());
    Sweeper::of(&source.database, Retention::default())
        .round(Timestamp::now())
        .await
        .unwrap();
    let mut ledger = Ledger::open(&storage(&home), &shutdown).await;
    local::connect(&source.outbox, &ledger.consumer, &shutdown);
    assert_eq!(ledger.pages_of(3).await["key"], numbers(0..3));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_never_comes_again_does_not_hold_up_the_sweeper() {
    let (_home, source, ledger, shutdown) = pipeline().await;
    source.post("key", &["0", "1", "2"]).await;
    is_stuck(&source, &ledger, &shutdown).await;
    shutdown.start();
    while leased_until(&source).await != 0 {
        sleep(Duration::from_millis(20)).await;
    }
    run(&source.database, "UPDATE outbox SET created_at = 0").await;
    let mut sweeper = Sweeper::of(&source.database, Retention::default());
    sweeper.round(Timestamp::now()).await.unwrap();
    assert_eq!(left(&source).await, 3, "it may still come");
    sweeper.round(Timestamp::now()).await.unwrap();
    assert_eq!(left(&source).await, 0);
}

/// Its owner was killed, and then the database's clock was set back.
#[tokio::test(flavor = "multi_thread")]
async fn a_lease_that_lies_in_the_future_is_none() {
    let (_home, source, mut ledger, shutdown) = pipeline().await;
    is_stuck(&source, &ledger, &shutdown).await;
    shutdown.start();
    while leased_until(&source).await != 0 {
        sleep(Duration::from_millis(20)).await;
    }
    let ahead = Timestamp::now().plus(Duration::from_secs(2 * 3600));
    let lease = format!(
        "UPDATE event_cursors SET owner = 'gone', leased_until = {}",
        ahead.as_millis()
    );
    run(&source.database, &lease).await;
    ledger.away(false);
    local::connect(&source.outbox, &ledger.consumer, &Shutdown::default());
    source.post("key", &["0"]).await;
    assert_eq!(ledger.pages_of(1).await["key"], ["0"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_comes_ten_times_is_handled_once() {
    let (_home, source, mut ledger, shutdown) = pipeline().await;
    source.post("ann", &["0"]).await;
    let payload = rows(&source.database, "SELECT payload FROM outbox").await;
    let payload: Vec<u8> = payload[0].try_get_by_index(0).unwrap();
    let event = Event::decode(payload.as_slice()).unwrap();
    // At once, again, and from the outbox after all.
    ledger
        .consumer
        .handle(&vec![event.clone(); 8])
        .await
        .unwrap();
    ledger.consumer.handle(&[event]).await.unwrap();
    local::connect(&source.outbox, &ledger.consumer, &shutdown);
    source.post("ann", &["1"]).await;
    assert_eq!(ledger.pages_of(2).await["ann"], numbers(0..2));
}
