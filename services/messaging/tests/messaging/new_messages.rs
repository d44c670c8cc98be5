//! Live streams of one replica are notified over a real NATS server of the messages of another.

use std::time::Duration;

use guildhall_data::ChannelId;
use guildhall_messaging::new_messages::{NewMessages, Notifications};
use guildhall_runtime::{Reason, Shutdown};
use guildhall_signals::{BrokerKeys, BusSettings, Coverage, MessagesStored, Retention, Signals};
use guildhall_testkit::Nats;
use tokio::time::{Instant, timeout};

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(20);

/// A replica of messaging, which listens to other replicas of messaging alone.
fn replica(nats: &Nats) -> Signals {
    let settings = BusSettings {
        urls: vec![nats.url()],
        tls_ca: None,
        stream_replicas: 1,
        stream_max_bytes: 1 << 30,
        keys: BrokerKeys::derive(b"secret").unwrap(),
        retention: Retention::default(),
        service: "messaging",
        listens_to: &["messaging"],
    };
    Signals::connect(&settings, &Shutdown::default()).unwrap()
}

async fn becomes(signals: &Signals, wanted: Coverage) {
    let mut coverage = signals.watch_coverage();
    let reached = coverage.wait_for(|coverage| *coverage == wanted);
    timeout(LONG, reached).await.expect("in time").unwrap();
}

async fn next(notifications: &mut Notifications) -> bool {
    timeout(LONG, notifications.next())
        .await
        .expect("a notification")
}

#[tokio::test]
async fn a_stream_is_notified_of_messages_that_another_replica_stored() {
    let nats = Nats::start().await;
    let (here, there) = (replica(&nats), replica(&nats));
    becomes(&here, Coverage::Everywhere).await;
    becomes(&there, Coverage::Everywhere).await;
    let channel = ChannelId::generate();
    let mut notifications = NewMessages::listen(&here).subscribe(channel).await.unwrap();
    there.send(MessagesStored { channel });
    assert!(next(&mut notifications).await);
    let quiet = timeout(Duration::from_millis(300), notifications.next()).await;
    assert!(quiet.is_err(), "notified without a message");
}

#[tokio::test]
async fn without_the_broker_a_stream_is_refused_with_a_retry_delay() {
    let mut nats = Nats::away().await;
    let here = replica(&nats);
    let new_messages = NewMessages::listen(&here);
    let refused = new_messages
        .subscribe(ChannelId::generate())
        .await
        .unwrap_err();
    assert_eq!(refused.reason(), Reason::Unreachable);
    assert!(refused.retry_delay().is_some());
    nats.start_again().await;
    becomes(&here, Coverage::Everywhere).await;
    new_messages.subscribe(ChannelId::generate()).await.unwrap();
}

#[tokio::test]
async fn a_stream_survives_a_short_outage_and_ends_with_a_long_one() {
    let mut nats = Nats::start().await;
    let here = replica(&nats);
    let new_messages = NewMessages::listen(&here);
    // The connection is still being made: a stream waits for it.
    let mut notifications = new_messages.subscribe(ChannelId::generate()).await.unwrap();
    becomes(&here, Coverage::Everywhere).await;
    nats.kill9().await;
    becomes(&here, Coverage::Broken).await;
    nats.start_again().await;
    becomes(&here, Coverage::Everywhere).await;
    assert!(
        next(&mut notifications).await,
        "something may have been missed"
    );

    nats.kill9().await;
    becomes(&here, Coverage::Broken).await;
    let broken_at = Instant::now();
    while next(&mut notifications).await {}
    let outage = broken_at.elapsed();
    assert!(outage > Duration::from_secs(2) && outage < Duration::from_secs(4));
    nats.start_again().await;
    becomes(&here, Coverage::Everywhere).await;
    let mut notifications = new_messages.subscribe(ChannelId::generate()).await.unwrap();
    let notified = timeout(Duration::from_millis(300), notifications.next()).await;
    assert_ne!(notified, Ok(false), "the stream is open");
}
