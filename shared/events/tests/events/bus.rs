//! Signals between processes over a real NATS server: each [`Signals`] is a process of its own.

use std::{net::SocketAddr, time::Duration};

use guildhall_data::ChannelId;
use guildhall_events::{BusSettings, Coverage, Retention, Signal, Signals, signals::Listener};
use guildhall_runtime::Shutdown;
use guildhall_testkit::{Mode, Nats, Proxy};
use tokio::time::{Instant, timeout};

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(20);

fn join(url: String, service: &'static str, hears: &'static [&'static str]) -> (Signals, Shutdown) {
    let settings = BusSettings {
        urls: vec![url],
        tls_ca: None,
        stream_replicas: 1,
        retention: Retention::default(),
        service,
        hears,
    };
    let shutdown = Shutdown::default();
    (Signals::connect(&settings, &shutdown).unwrap(), shutdown)
}

fn identity(nats: &Nats) -> (Signals, Shutdown) {
    join(nats.url(), "identity", &["identity"])
}

fn messaging(nats: &Nats) -> (Signals, Shutdown) {
    join(nats.url(), "messaging", &["identity", "messaging"])
}

fn gateway(nats: &Nats) -> (Signals, Shutdown) {
    gateway_through(nats, nats.address())
}

fn gateway_through(nats: &Nats, address: SocketAddr) -> (Signals, Shutdown) {
    join(nats.url_through(address), "gateway", &["identity"])
}

/// Waits until a process hears as much.
async fn becomes(signals: &Signals, wanted: Coverage) {
    let mut coverage = signals.watch_coverage();
    let reached = coverage.wait_for(|coverage| *coverage == wanted);
    timeout(LONG, reached).await.expect("it never is").unwrap();
}

fn key(number: u8) -> Signal {
    Signal::KeyChanged {
        digest: [number; 32],
    }
}

async fn next(listener: &mut Listener) -> Signal {
    timeout(LONG, listener.next())
        .await
        .expect("a signal")
        .unwrap()
}

/// The next signal that is not [`Signal::Missed`].
async fn next_known(listener: &mut Listener) -> Signal {
    loop {
        let signal = next(listener).await;
        if signal != Signal::Missed {
            return signal;
        }
    }
}

/// Waits until a listener is told that he missed something.
async fn missed(listener: &mut Listener) {
    while next(listener).await != Signal::Missed {}
}

#[tokio::test]
async fn every_process_hears_a_signal_once() {
    let nats = Nats::start().await;
    let ((identity, _), (gateway, _)) = (identity(&nats), gateway(&nats));
    becomes(&identity, Coverage::Everywhere).await;
    becomes(&gateway, Coverage::Everywhere).await;
    let (mut here, mut there) = (identity.listen(), gateway.listen());
    for number in 1..=3 {
        identity.send(key(number));
        assert_eq!(next(&mut here).await, key(number), "at once, and once");
        assert_eq!(next(&mut there).await, key(number));
    }
    assert!(identity.delivered().await);
    // What comes back over the bus would be here by now.
    identity.send(key(4));
    assert_eq!(next(&mut here).await, key(4));
}

#[tokio::test]
async fn a_process_hears_only_the_services_it_listens_to() {
    let nats = Nats::start().await;
    let ((identity, _), (gateway, _)) = (identity(&nats), gateway(&nats));
    let ((messaging, _), (replica, _)) = (messaging(&nats), messaging(&nats));
    for signals in [&identity, &gateway, &messaging, &replica] {
        becomes(signals, Coverage::Everywhere).await;
    }
    let (mut gateway, mut replica) = (gateway.listen(), replica.listen());
    let channel = ChannelId::generate();
    messaging.send(Signal::MessagesStored { channel });
    let heard = next_known(&mut replica).await;
    assert_eq!(heard, Signal::MessagesStored { channel });
    identity.send(key(1));
    assert_eq!(next_known(&mut gateway).await, key(1));
    assert_eq!(next_known(&mut replica).await, key(1));
}

#[tokio::test]
async fn without_identity_the_bus_is_not_enough() {
    let nats = Nats::start().await;
    let (gateway, _) = gateway(&nats);
    becomes(&gateway, Coverage::Partial).await;
    let (identity, _) = identity(&nats);
    becomes(&identity, Coverage::Everywhere).await;
    becomes(&gateway, Coverage::Everywhere).await;
    assert_eq!(Signals::default().coverage(), Coverage::Process);
}

#[tokio::test]
async fn who_leaves_is_not_missed_and_who_dies_is() {
    let nats = Nats::start().await;
    let ((gateway, _), (stays, _)) = (gateway(&nats), identity(&nats));
    let ((leaves, shutdown), (dies, _)) = (identity(&nats), identity(&nats));
    for signals in [&gateway, &stays, &leaves, &dies] {
        becomes(signals, Coverage::Everywhere).await;
    }
    let mut listener = gateway.listen();
    shutdown.start();
    assert!(leaves.delivered().await);
    drop(leaves);
    missed(&mut listener).await;
    assert_eq!(gateway.coverage(), Coverage::Everywhere, "he said so");

    drop(dies);
    becomes(&gateway, Coverage::Partial).await;
    // Nobody can say what he said last: listeners look for themselves, again and again.
    for _ in 0..3 {
        missed(&mut listener).await;
    }
    assert_eq!(gateway.coverage(), Coverage::Partial);
}

#[tokio::test]
async fn a_broker_that_comes_late_or_goes_is_found_again() {
    let mut nats = Nats::away().await;
    let ((identity, _), (gateway, _)) = (identity(&nats), gateway(&nats));
    let mut listener = gateway.listen();
    identity.send(key(1));
    assert!(!identity.delivered().await, "nobody has taken it");
    assert_eq!(gateway.coverage(), Coverage::Broken);

    nats.start_again().await;
    becomes(&identity, Coverage::Everywhere).await;
    becomes(&gateway, Coverage::Everywhere).await;
    missed(&mut listener).await;

    nats.kill9().await;
    becomes(&gateway, Coverage::Broken).await;
    identity.send(key(2));
    nats.start_again().await;
    becomes(&gateway, Coverage::Everywhere).await;
    becomes(&identity, Coverage::Everywhere).await;
    let mut listener = gateway.listen();
    identity.send(key(3));
    assert_eq!(
        next_known(&mut listener).await,
        key(3),
        "2 is lost for good"
    );
}

#[tokio::test]
async fn a_broker_that_stands_still_is_noticed_within_a_second() {
    let nats = Nats::start().await;
    let ((identity, _), (gateway, _)) = (identity(&nats), gateway(&nats));
    becomes(&identity, Coverage::Everywhere).await;
    becomes(&gateway, Coverage::Everywhere).await;
    nats.pause().await;
    let paused_at = Instant::now();
    becomes(&gateway, Coverage::Broken).await;
    assert!(paused_at.elapsed() < Duration::from_secs(1));
    nats.resume().await;
    becomes(&gateway, Coverage::Everywhere).await;
    becomes(&identity, Coverage::Everywhere).await;
}

#[tokio::test]
async fn a_line_that_swallows_or_dawdles_is_not_relied_on() {
    let nats = Nats::start().await;
    let proxy = Proxy::start(nats.address()).await;
    let (identity, _) = identity(&nats);
    let (gateway, _) = gateway_through(&nats, proxy.address());
    becomes(&identity, Coverage::Everywhere).await;
    becomes(&gateway, Coverage::Everywhere).await;
    proxy.set(Mode::Blackhole);
    becomes(&gateway, Coverage::Broken).await;
    assert_eq!(identity.coverage(), Coverage::Everywhere, "its line works");
    proxy.set(Mode::Pass);
    becomes(&gateway, Coverage::Everywhere).await;
    proxy.set(Mode::Delay(Duration::from_secs(2)));
    becomes(&gateway, Coverage::Broken).await;
    // It hears everything, but too late.
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert_eq!(gateway.coverage(), Coverage::Broken);
    proxy.set(Mode::Pass);
    becomes(&gateway, Coverage::Everywhere).await;
}

#[tokio::test]
async fn more_than_the_bus_takes_is_missed_and_not_lost_in_silence() {
    let nats = Nats::start().await;
    let ((identity, _), (gateway, _)) = (identity(&nats), gateway(&nats));
    becomes(&identity, Coverage::Everywhere).await;
    becomes(&gateway, Coverage::Everywhere).await;
    let mut listener = gateway.listen();
    // In one go: the task that sends gets no turn in between.
    for _ in 0..2000 {
        identity.send(Signal::MessagesStored {
            channel: ChannelId::generate(),
        });
    }
    assert_eq!(next(&mut listener).await, Signal::Missed);
    identity.send(key(1));
    assert_eq!(next_known(&mut listener).await, key(1));
}

#[tokio::test]
async fn what_is_no_batch_of_signals_is_ignored() {
    let nats = Nats::start().await;
    let ((identity, _), (gateway, _)) = (identity(&nats), gateway(&nats));
    becomes(&identity, Coverage::Everywhere).await;
    becomes(&gateway, Coverage::Everywhere).await;
    let mut listener = gateway.listen();
    let stranger = async_nats::connect(nats.url()).await.unwrap();
    for payload in [vec![0xff; 100], vec![0; 300 * 1024], Vec::new()] {
        let subject = "guildhall.signals.v1.identity";
        stranger.publish(subject, payload.into()).await.unwrap();
    }
    stranger.flush().await.unwrap();
    identity.send(key(1));
    assert_eq!(next_known(&mut listener).await, key(1));
    // Whoever is taken for a publisher is missed when he says nothing for so long.
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(gateway.coverage(), Coverage::Everywhere);
}
