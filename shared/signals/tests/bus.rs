//! Signals between processes over a real NATS server: each [`Signals`] stands for a process.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a step that fails fails its test"
)]

use std::{net::SocketAddr, time::Duration};

use guildhall_runtime::Shutdown;
use guildhall_signals::{
    BrokerKeys, BusSettings, Coverage, KeyChanged, MessagesStored, Retention, Signals, Subscription,
};
use guildhall_testkit::{Mode, Nats, Proxy};
use guildhall_types::ChannelId;
use tokio::{
    sync::mpsc::{self, UnboundedReceiver},
    time::{Instant, timeout},
};

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(20);

fn join(
    url: String,
    service: &'static str,
    listens_to: &'static [&'static str],
) -> (Signals, Shutdown) {
    let settings = BusSettings {
        urls: vec![url],
        tls_ca: None,
        stream_replicas: 1,
        stream_max_bytes: 1 << 30,
        keys: BrokerKeys::derive(b"secret").unwrap(),
        retention: Retention::default(),
        service,
        listens_to,
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

/// Waits until a process receives as much.
async fn becomes(signals: &Signals, wanted: Coverage) {
    let mut coverage = signals.watch_coverage();
    let reached = coverage.wait_for(|coverage| *coverage == wanted);
    timeout(LONG, reached).await.expect("it never is").unwrap();
}

/// What a subscriber is told.
#[derive(Debug, PartialEq)]
enum Heard {
    Key(u8),
    Channel(ChannelId),
    Missed,
}

/// A subscriber to everything.
struct Listener {
    heard: UnboundedReceiver<Heard>,
    _subscriptions: [Subscription; 3],
}

impl Listener {
    fn of(signals: &Signals) -> Self {
        let (sender, heard) = mpsc::unbounded_channel();
        let (keys, channels) = (sender.clone(), sender.clone());
        Self {
            heard,
            _subscriptions: [
                signals.subscribe(move |key: &KeyChanged| {
                    let _ = keys.send(Heard::Key(key.digest[0]));
                }),
                signals.subscribe(move |stored: &MessagesStored| {
                    let _ = channels.send(Heard::Channel(stored.channel));
                }),
                signals.subscribe_missed(move || {
                    let _ = sender.send(Heard::Missed);
                }),
            ],
        }
    }

    async fn next(&mut self) -> Heard {
        let heard = timeout(LONG, self.heard.recv());
        heard.await.expect("a signal in time").unwrap()
    }

    /// The next signal.
    async fn next_signal(&mut self) -> Heard {
        loop {
            match self.next().await {
                Heard::Missed => {}
                signal @ (Heard::Key(_) | Heard::Channel(_)) => return signal,
            }
        }
    }

    /// Waits until it is told that it missed something.
    async fn missed(&mut self) {
        while self.next().await != Heard::Missed {}
    }
}

/// A client that knows the broker's password, as somebody does who got into the network.
async fn client(nats: &Nats) -> async_nats::Client {
    let (user, password) = nats.login();
    let options = async_nats::ConnectOptions::with_user_and_password(user.into(), password.into());
    options.connect(nats.address().to_string()).await.unwrap()
}

fn key(number: u8) -> KeyChanged {
    KeyChanged {
        digest: [number; 32],
    }
}

#[tokio::test]
async fn every_process_receives_a_signal_once() {
    let nats = Nats::start().await;
    let ((identity, _), (gateway, _)) = (identity(&nats), gateway(&nats));
    becomes(&identity, Coverage::Everywhere).await;
    becomes(&gateway, Coverage::Everywhere).await;
    let (mut here, mut there) = (Listener::of(&identity), Listener::of(&gateway));
    for number in 1..=3 {
        identity.send(key(number));
        assert_eq!(here.next().await, Heard::Key(number), "at once, and once");
        assert_eq!(there.next().await, Heard::Key(number));
    }
    assert!(identity.delivered().await);
    // What comes back over the bus would be here by now.
    identity.send(key(4));
    assert_eq!(here.next().await, Heard::Key(4));
}

#[tokio::test]
async fn a_process_receives_only_from_the_services_it_listens_to() {
    let nats = Nats::start().await;
    let ((identity, _), (gateway, _)) = (identity(&nats), gateway(&nats));
    let ((messaging, _), (replica, _)) = (messaging(&nats), messaging(&nats));
    for signals in [&identity, &gateway, &messaging, &replica] {
        becomes(signals, Coverage::Everywhere).await;
    }
    let (mut gateway, mut replica) = (Listener::of(&gateway), Listener::of(&replica));
    let channel = ChannelId::generate();
    messaging.send(MessagesStored { channel });
    let heard = replica.next_signal().await;
    assert_eq!(heard, Heard::Channel(channel));
    identity.send(key(1));
    assert_eq!(gateway.next_signal().await, Heard::Key(1));
    assert_eq!(replica.next_signal().await, Heard::Key(1));
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
    let mut listener = Listener::of(&gateway);
    shutdown.start();
    assert!(leaves.delivered().await);
    drop(leaves);
    listener.missed().await;
    assert_eq!(gateway.coverage(), Coverage::Everywhere, "it said so");

    drop(dies);
    becomes(&gateway, Coverage::Partial).await;
    // Nobody can say what it sent last: subscribers look for themselves, again and again.
    for _ in 0..3 {
        listener.missed().await;
    }
    assert_eq!(gateway.coverage(), Coverage::Partial);
}

#[tokio::test]
async fn a_broker_that_comes_late_or_goes_is_found_again() {
    let mut nats = Nats::away().await;
    let ((identity, _), (gateway, _)) = (identity(&nats), gateway(&nats));
    let mut listener = Listener::of(&gateway);
    identity.send(key(1));
    assert!(!identity.delivered().await, "nobody has taken it");
    assert_eq!(gateway.coverage(), Coverage::Broken);

    nats.start_again().await;
    becomes(&identity, Coverage::Everywhere).await;
    becomes(&gateway, Coverage::Everywhere).await;
    listener.missed().await;

    nats.kill9().await;
    becomes(&gateway, Coverage::Broken).await;
    identity.send(key(2));
    nats.start_again().await;
    becomes(&gateway, Coverage::Everywhere).await;
    becomes(&identity, Coverage::Everywhere).await;
    let mut listener = Listener::of(&gateway);
    identity.send(key(3));
    assert_eq!(
        listener.next_signal().await,
        Heard::Key(3),
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
async fn a_connection_that_loses_or_delays_messages_is_not_relied_on() {
    let nats = Nats::start().await;
    let proxy = Proxy::start(nats.address()).await;
    let (identity, _) = identity(&nats);
    let (gateway, _) = gateway_through(&nats, proxy.address());
    becomes(&identity, Coverage::Everywhere).await;
    becomes(&gateway, Coverage::Everywhere).await;
    proxy.set(Mode::Blackhole);
    becomes(&gateway, Coverage::Broken).await;
    assert_eq!(
        identity.coverage(),
        Coverage::Everywhere,
        "its connection works"
    );
    proxy.set(Mode::Pass);
    becomes(&gateway, Coverage::Everywhere).await;
    proxy.set(Mode::Delay(Duration::from_secs(2)));
    becomes(&gateway, Coverage::Broken).await;
    // It receives everything, but too late.
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert_eq!(gateway.coverage(), Coverage::Broken);
    proxy.set(Mode::Pass);
    becomes(&gateway, Coverage::Everywhere).await;
}

#[tokio::test]
async fn more_than_the_bus_takes_counts_as_missed() {
    let nats = Nats::start().await;
    let ((identity, _), (gateway, _)) = (identity(&nats), gateway(&nats));
    becomes(&identity, Coverage::Everywhere).await;
    becomes(&gateway, Coverage::Everywhere).await;
    let mut listener = Listener::of(&gateway);
    // In one go: the task that publishes does not run in between.
    for _ in 0..2000 {
        identity.send(MessagesStored {
            channel: ChannelId::generate(),
        });
    }
    assert_eq!(listener.next().await, Heard::Missed);
    identity.send(key(1));
    assert_eq!(listener.next_signal().await, Heard::Key(1));
}

#[tokio::test]
async fn what_is_not_a_batch_of_signals_is_ignored() {
    let nats = Nats::start().await;
    let ((identity, _), (gateway, _)) = (identity(&nats), gateway(&nats));
    becomes(&identity, Coverage::Everywhere).await;
    becomes(&gateway, Coverage::Everywhere).await;
    let mut listener = Listener::of(&gateway);
    let stranger = client(&nats).await;
    for payload in [vec![0xff; 100], vec![0; 300 * 1024], Vec::new()] {
        let subject = "guildhall.signals.v1.identity";
        stranger.publish(subject, payload.into()).await.unwrap();
    }
    stranger.flush().await.unwrap();
    identity.send(key(1));
    assert_eq!(listener.next_signal().await, Heard::Key(1));
    // Whoever is taken for a publisher counts as missing when silent for so long.
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(gateway.coverage(), Coverage::Everywhere);
}
