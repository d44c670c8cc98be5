//! Live streams of one replica, and a real NATS server that tells of the messages of another.

use std::time::Duration;

use guildhall_data::ChannelId;
use guildhall_messaging::arrivals::{Arrival, Arrivals};
use guildhall_runtime::{Reason, Shutdown};
use guildhall_signals::{BusSettings, Coverage, MessagesStored, Retention, Signals};
use guildhall_testkit::Nats;
use tokio::time::{Instant, timeout};

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(20);

/// A replica of messaging that needs nobody but its like.
fn replica(nats: &Nats) -> Signals {
    let settings = BusSettings {
        urls: vec![nats.url()],
        tls_ca: None,
        stream_replicas: 1,
        retention: Retention::default(),
        service: "messaging",
        hears: &["messaging"],
    };
    Signals::connect(&settings, &Shutdown::default()).unwrap()
}

async fn becomes(signals: &Signals, wanted: Coverage) {
    let mut coverage = signals.watch_coverage();
    let reached = coverage.wait_for(|coverage| *coverage == wanted);
    timeout(LONG, reached).await.expect("it never is").unwrap();
}

async fn next(arrival: &mut Arrival) -> bool {
    timeout(LONG, arrival.next()).await.expect("a wake")
}

#[tokio::test]
async fn a_stream_wakes_for_what_another_replica_stored() {
    let nats = Nats::start().await;
    let (here, there) = (replica(&nats), replica(&nats));
    becomes(&here, Coverage::Everywhere).await;
    becomes(&there, Coverage::Everywhere).await;
    let channel = ChannelId::generate();
    let mut arrival = Arrivals::listen(&here).of(channel).await.unwrap();
    there.send(MessagesStored { channel });
    assert!(next(&mut arrival).await);
    let quiet = timeout(Duration::from_millis(300), arrival.next()).await;
    assert!(quiet.is_err(), "it woke for nothing");
}

#[tokio::test]
async fn without_the_broker_a_stream_is_refused_and_told_when_to_try_again() {
    let mut nats = Nats::away().await;
    let here = replica(&nats);
    let arrivals = Arrivals::listen(&here);
    let refused = arrivals.of(ChannelId::generate()).await.unwrap_err();
    assert_eq!(refused.reason(), Reason::Unreachable);
    assert!(refused.retry_delay().is_some());
    nats.start_again().await;
    becomes(&here, Coverage::Everywhere).await;
    arrivals.of(ChannelId::generate()).await.unwrap();
}

#[tokio::test]
async fn a_short_break_is_bridged_and_a_long_one_ends_the_stream() {
    let mut nats = Nats::start().await;
    let here = replica(&nats);
    let arrivals = Arrivals::listen(&here);
    // The connection is only just being made: a stream waits for it.
    let mut arrival = arrivals.of(ChannelId::generate()).await.unwrap();
    becomes(&here, Coverage::Everywhere).await;
    nats.kill9().await;
    becomes(&here, Coverage::Broken).await;
    nats.start_again().await;
    becomes(&here, Coverage::Everywhere).await;
    assert!(next(&mut arrival).await, "something may have been missed");

    nats.kill9().await;
    becomes(&here, Coverage::Broken).await;
    let broken_at = Instant::now();
    while next(&mut arrival).await {}
    let bridged = broken_at.elapsed();
    assert!(bridged > Duration::from_secs(2) && bridged < Duration::from_secs(4));
    nats.start_again().await;
    becomes(&here, Coverage::Everywhere).await;
    let mut arrival = arrivals.of(ChannelId::generate()).await.unwrap();
    let woken = timeout(Duration::from_millis(300), arrival.next()).await;
    assert_ne!(woken, Ok(false), "it lives");
}
