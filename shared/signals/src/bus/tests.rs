use async_nats::HeaderMap;

use super::*;
use crate::{BrokerKeys, Retention, Subscription, presence::SILENCE};

/// What could be trusted in the moment in which a subscriber was told that signals were missed.
#[derive(Debug, PartialEq)]
struct Told {
    coverage: Coverage,
    /// How long an answer lives that was looked up before.
    lifetime: Duration,
}

/// A gateway on the bus that receives what the test hands it, in the moment that the test chooses.
struct Gateway {
    node: Node,
    told: Arc<Mutex<Vec<Told>>>,
    _subscription: Subscription,
}

impl Gateway {
    /// One that has run for a while.
    async fn start() -> Self {
        let settings = BusSettings {
            urls: Vec::new(),
            tls_ca: None,
            stream_replicas: 1,
            stream_max_bytes: 1 << 30,
            keys: BrokerKeys::derive(b"secret").unwrap(),
            retention: Retention::default(),
            service: "gateway",
            listens_to: &["identity"],
        };
        let subscribers = Subscribers::default();
        let mut node = Node::new(&settings, subscribers.clone(), &Shutdown::default());
        node.connected_at = Some(Instant::now());
        tokio::time::advance(HEARTBEAT).await;
        let told = Arc::new(Mutex::new(Vec::new()));
        let (bus, telling) = (Arc::clone(&node.bus), Arc::clone(&told));
        let subscription = subscribers.subscribe_missed(move || {
            let now = Instant::now();
            telling.lock().push(Told {
                coverage: bus.lease.coverage(now),
                lifetime: bus.lease.lifetime(now, now),
            });
        });
        Self {
            node,
            told,
            _subscription: subscription,
        }
    }

    fn receive(&mut self, service: &str, batch: &SignalBatch) {
        // Every moment here is later than the one before.
        let sent_micros = self.node.bus.lease.micros(Instant::now());
        let batch = SignalBatch {
            sent_micros,
            ..batch.clone()
        };
        let (subject, payload) = (format!("{SUBJECT}{service}"), batch.encode_to_vec());
        let headers = self.node.key.sign(&[subject.as_bytes(), &payload]);
        self.receive_message(message(subject, payload, Some(headers)));
    }

    fn receive_message(&mut self, message: Message) {
        let now = Instant::now();
        let missed = self.node.receive(&message, now);
        self.node.settle(missed, now);
    }

    /// A heartbeat of its own that was sent in this moment.
    fn receive_echo(&mut self) {
        self.receive("gateway", &heartbeat(&self.node.name.clone()));
    }

    fn receive_heartbeat(&mut self, publisher: &str) {
        self.receive("identity", &heartbeat(publisher));
    }

    fn coverage(&self) -> Coverage {
        self.node.bus.lease.coverage(Instant::now())
    }

    /// Since it was asked last.
    fn told(&self) -> Vec<Told> {
        std::mem::take(&mut *self.told.lock())
    }
}

fn message(subject: String, payload: Vec<u8>, headers: Option<HeaderMap>) -> Message {
    Message {
        subject: subject.into(),
        reply: None,
        payload: payload.into(),
        headers,
        status: None,
        description: None,
        length: 0,
    }
}

fn heartbeat(publisher: &str) -> SignalBatch {
    SignalBatch {
        publisher: publisher.to_owned(),
        ..SignalBatch::default()
    }
}

/// Nothing that was looked up before is trusted.
fn untrusted(coverage: Coverage) -> Told {
    Told {
        coverage,
        lifetime: UNCOVERED_LIFE,
    }
}

#[tokio::test(start_paused = true)]
async fn subscribers_forget_before_the_coverage_grows() {
    let mut gateway = Gateway::start().await;
    gateway.receive_echo();
    assert_eq!(gateway.told(), [untrusted(Coverage::Broken)]);
    assert_eq!(gateway.coverage(), Coverage::Partial);
    gateway.receive_heartbeat("identity");
    assert_eq!(gateway.told(), [untrusted(Coverage::Partial)]);
    assert_eq!(gateway.coverage(), Coverage::Everywhere);
}

#[tokio::test(start_paused = true)]
async fn what_was_looked_up_before_a_gap_is_not_trusted_when_subscribers_are_told() {
    let mut gateway = Gateway::start().await;
    gateway.receive_echo();
    gateway.receive_heartbeat("identity");
    gateway.told();
    tokio::time::advance(HEARTBEAT).await;
    let gap = SignalBatch {
        number: 1,
        ..heartbeat("identity")
    };
    gateway.receive("identity", &gap);
    // The gap is in the past: what comes from now on is received.
    assert_eq!(gateway.told(), [untrusted(Coverage::Everywhere)]);
    assert_eq!(gateway.coverage(), Coverage::Everywhere);
}

#[tokio::test(start_paused = true)]
async fn a_departure_that_was_announced_ends_no_coverage_whatever_is_received_in_its_moment() {
    let mut gateway = Gateway::start().await;
    gateway.receive_echo();
    gateway.receive_heartbeat("stays");
    let leaving = SignalBatch {
        leaving: true,
        ..heartbeat("leaves")
    };
    gateway.receive("identity", &leaving);
    let left_at = Instant::now();
    while left_at.elapsed() + HEARTBEAT < SILENCE {
        tokio::time::advance(HEARTBEAT).await;
        gateway.receive_echo();
        gateway.receive_heartbeat("stays");
    }
    gateway.told();
    let coverage = gateway.node.bus.coverage.subscribe();
    tokio::time::advance(SILENCE - left_at.elapsed()).await;
    gateway.receive_echo();
    // Their last signals may be lost.
    assert_eq!(gateway.told(), [untrusted(Coverage::Partial)]);
    assert_eq!(gateway.coverage(), Coverage::Everywhere);
    assert!(!coverage.has_changed().unwrap(), "the coverage has lapsed");
}

#[tokio::test(start_paused = true)]
async fn what_is_not_signed_for_its_subject_or_comes_again_is_dropped() {
    let mut gateway = Gateway::start().await;
    gateway.receive_echo();
    gateway.receive_heartbeat("identity");
    gateway.told();
    tokio::time::advance(HEARTBEAT).await;
    gateway.receive_echo();
    // A forged heartbeat would keep it present, a forged gap empty every cache.
    let forged = SignalBatch {
        number: 7,
        sent_micros: u64::MAX,
        ..heartbeat("identity")
    };
    let (subject, payload) = (format!("{SUBJECT}identity"), forged.encode_to_vec());
    gateway.receive_message(message(subject.clone(), payload.clone(), None));
    let elsewhere = gateway.node.key.sign(&[b"elsewhere", &payload]);
    gateway.receive_message(message(subject.clone(), payload, Some(elsewhere)));
    // One that the process has received, which somebody has recorded.
    let recorded = SignalBatch {
        sent_micros: 1,
        ..heartbeat("identity")
    };
    let payload = recorded.encode_to_vec();
    let headers = gateway.node.key.sign(&[subject.as_bytes(), &payload]);
    gateway.receive_message(message(subject, payload, Some(headers)));
    assert_eq!(gateway.told(), []);
    tokio::time::advance(SILENCE - HEARTBEAT).await;
    gateway.receive_echo();
    assert_eq!(gateway.coverage(), Coverage::Partial, "it has been silent");
}
