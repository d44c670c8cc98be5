//! Signals between processes, over the broker.
//!
//! Each service has a subject. A process publishes what changed in numbered batches, and an empty
//! batch four times a second as a heartbeat, from which subscribers see that nothing is missing.
//! It also receives its own batches: as long as they come back in time, what others published
//! before them has been received, too. Batches are signed, and none counts twice.

use std::{collections::HashSet, sync::Arc, time::Duration};

use async_nats::{Client, Message, Subject, Subscriber, connection::State};
use futures::{FutureExt, StreamExt, stream::SelectAll};
use guildhall_proto::events::v1::{Signal as WireSignal, SignalBatch, signal::Kind};
use guildhall_runtime::{Result, Shutdown};
use guildhall_types::EventId;
use parking_lot::Mutex;
use prost::Message as _;
use tokio::{
    sync::{Notify, watch},
    time::{Instant, MissedTickBehavior},
};

use crate::{
    broker::{Broker, BusSettings},
    coverage::{Coverage, Lease, UNCOVERED_LIFE},
    metrics::BusMetrics,
    presence::Publishers,
    signature::{MessageKey, Rejection, RejectionLog},
    subscribers::Subscribers,
};

/// What all subjects begin with; the service follows.
const SUBJECT: &str = "guildhall.signals.v1.";
/// How often a process publishes at least.
const HEARTBEAT: Duration = Duration::from_millis(250);
/// How long a batch may take to the broker and back.
const ROUND_TRIP: Duration = Duration::from_millis(500);
/// Heartbeats without an echo of our own before a connection is given up: five seconds.
const MAX_SILENT_HEARTBEATS: u32 = 20;
/// Signals that may wait to be published; with more of them, subscribers are told that they
/// missed some.
const MAX_WAITING: usize = 1024;
/// The longest name of a publisher, in bytes.
const MAX_NAME: usize = 64;
/// The largest batch, in bytes; whatever is larger is not one of ours.
const MAX_BATCH: usize = 256 * 1024;
/// How long a process that ends waits for the broker.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(2);

/// The part of the bus that all of a process share.
#[derive(Debug)]
pub(crate) struct Bus {
    pub(crate) lease: Lease,
    pub(crate) coverage: watch::Sender<Coverage>,
    waiting: Mutex<Waiting>,
    wake: Notify,
    /// When the newest of our own batches that came back was sent, in the lease's microseconds.
    echoed: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Waiting {
    /// A signal that waits twice is sent once.
    signals: HashSet<Kind>,
    /// Some could not wait.
    lost: bool,
}

impl Waiting {
    fn lose(&mut self) {
        self.lost = true;
        self.signals.clear();
    }
}

impl Bus {
    /// Nothing is received yet.
    fn new() -> Self {
        Self {
            lease: Lease::new(),
            coverage: watch::Sender::new(Coverage::Broken),
            waiting: Mutex::default(),
            wake: Notify::new(),
            echoed: watch::Sender::new(0),
        }
    }

    /// Publishes a signal as soon as possible.
    pub(crate) fn enqueue(&self, signal: Kind) {
        let mut waiting = self.waiting.lock();
        if waiting.signals.len() >= MAX_WAITING {
            waiting.lose();
        } else if !waiting.lost {
            waiting.signals.insert(signal);
        }
        drop(waiting);
        self.wake.notify_one();
    }

    /// Publishes that something was missed.
    pub(crate) fn enqueue_missed(&self) {
        self.waiting.lock().lose();
        self.wake.notify_one();
    }

    /// See [`crate::Signals::delivered`].
    pub(crate) async fn delivered(&self) -> bool {
        let asked_at = self.lease.micros(Instant::now());
        let mut echoed = self.echoed.subscribe();
        self.wake.notify_one();
        // A batch takes along all that waits, so one that was sent later is enough.
        let echoed = echoed.wait_for(|sent| *sent > asked_at);
        let in_time = tokio::time::timeout(FLUSH_TIMEOUT, echoed).await;
        in_time.is_ok_and(|echoed| echoed.is_ok())
    }
}

/// Starts the task that publishes and subscribes on the bus.
pub(crate) fn start(
    settings: &BusSettings,
    subscribers: Subscribers,
    shutdown: &Shutdown,
) -> Result<Arc<Bus>> {
    let node = Node::new(settings, subscribers, shutdown);
    let broker = Broker::new(settings, &node.name, node.metrics.connects.clone())?;
    let bus = Arc::clone(&node.bus);
    tokio::spawn(node.run(broker));
    Ok(bus)
}

/// This process on the bus.
struct Node {
    name: String,
    subject: Subject,
    service: &'static str,
    listens_to: &'static [&'static str],
    publishers: Publishers,
    /// Of the last batch with signals.
    number: u64,
    /// Since when the broker is connected; none while it is not.
    connected_at: Option<Instant>,
    /// When the newest of our own batches that came back was sent.
    echoed_at: Option<Instant>,
    /// Heartbeats since then.
    silent_heartbeats: u32,
    /// When coverage lapses unless something is received; none while there is none.
    lapses_at: Option<Instant>,
    /// When local subscribers were last told that they missed something.
    notified_at: Instant,
    bus: Arc<Bus>,
    key: MessageKey,
    rejected: RejectionLog,
    metrics: BusMetrics,
    subscribers: Subscribers,
    shutdown: Shutdown,
}

/// Why the task woke up.
enum Wakeup {
    Heartbeat,
    Changed,
    Received(Message),
}

impl Node {
    fn new(settings: &BusSettings, subscribers: Subscribers, shutdown: &Shutdown) -> Self {
        let others = settings.listens_to.iter().copied();
        let others = others.filter(|service| *service != settings.service);
        Self {
            name: EventId::generate().to_string(),
            subject: format!("{SUBJECT}{}", settings.service).into(),
            service: settings.service,
            listens_to: settings.listens_to,
            publishers: Publishers::new(others.collect()),
            number: 0,
            connected_at: None,
            echoed_at: None,
            silent_heartbeats: 0,
            lapses_at: None,
            notified_at: Instant::now(),
            bus: Arc::new(Bus::new()),
            key: settings.keys.signals.clone(),
            rejected: RejectionLog::default(),
            metrics: BusMetrics::new(),
            subscribers,
            shutdown: shutdown.clone(),
        }
    }

    async fn run(mut self, broker: Broker) {
        let (client, mut messages) = match self.join(broker).await {
            Ok(joined) => joined,
            Err(error) => {
                tracing::error!(error, "the bus cannot be used");
                return;
            }
        };
        let bus = Arc::clone(&self.bus);
        let mut heartbeat = tokio::time::interval(HEARTBEAT);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // Nobody sends or asks any more once this task alone holds the bus.
        while Arc::strong_count(&bus) > 2 {
            let wakeup = tokio::select! {
                _ = heartbeat.tick() => Wakeup::Heartbeat,
                () = bus.wake.notified() => Wakeup::Changed,
                () = reached(self.lapses_at) => Wakeup::Changed,
                Some(message) = messages.next() => Wakeup::Received(message),
            };
            let now = Instant::now();
            if let Wakeup::Received(message) = &wakeup {
                let missed = self.receive(message, now);
                self.settle(missed, now);
                continue;
            }
            if let Wakeup::Heartbeat = wakeup {
                self.check_echo(&client);
            }
            self.note_connection(&client, now);
            self.settle(false, now);
            self.publish(&client, now);
        }
    }

    async fn join(
        &self,
        broker: Broker,
    ) -> Result<(Client, SelectAll<Subscriber>), async_nats::Error> {
        let client = broker.options.connect(broker.servers).await?;
        let services: HashSet<_> = self.listens_to.iter().chain([&self.service]).collect();
        let mut messages = SelectAll::new();
        for service in services {
            messages.push(client.subscribe(format!("{SUBJECT}{service}")).await?);
        }
        Ok((client, messages))
    }

    fn note_connection(&mut self, client: &Client, now: Instant) {
        let connected = client.connection_state() == State::Connected;
        self.connected_at = connected.then(|| self.connected_at.unwrap_or(now));
    }

    /// Gives a connection up that counts as open and brings nothing back.
    fn check_echo(&mut self, client: &Client) {
        self.silent_heartbeats += 1;
        if self.silent_heartbeats >= MAX_SILENT_HEARTBEATS && self.connected_at.is_some() {
            self.silent_heartbeats = 0;
            // Where even this cannot wait in line, the next time can.
            let _ = client.force_reconnect().now_or_never();
        }
    }

    /// Passes on what a message says; whether something before it was missed.
    fn receive(&mut self, message: &Message, now: Instant) -> bool {
        let service = message.subject.strip_prefix(SUBJECT).unwrap_or_default();
        // What cannot be read is missed, and its number will tell.
        let Some(batch) = self.read(message) else {
            return false;
        };
        if batch.publisher == self.name {
            self.receive_echo(&batch, now);
            return false;
        }
        let Some(service) = self.listens_to.iter().find(|known| **known == service) else {
            return false;
        };
        if self.publishers.is_repeated(&batch) {
            self.reject(message, Rejection::Repeated);
            return false;
        }
        let missed = self.publishers.receive(service, &batch, now);
        for kind in batch
            .signals
            .iter()
            .filter_map(|signal| signal.kind.as_ref())
        {
            self.metrics.received.inc();
            self.subscribers.received(kind);
        }
        missed
    }

    /// The batch that a message holds, if it is one of this platform.
    fn read(&mut self, message: &Message) -> Option<SignalBatch> {
        if message.payload.len() > MAX_BATCH {
            self.reject(message, Rejection::Unsigned);
            return None;
        }
        let parts = [message.subject.as_bytes(), &message.payload];
        if let Err(rejection) = self.key.verify(message.headers.as_ref(), &parts) {
            self.reject(message, rejection);
            return None;
        }
        let batch = SignalBatch::decode(message.payload.clone()).ok()?;
        (1..=MAX_NAME)
            .contains(&batch.publisher.len())
            .then_some(batch)
    }

    fn reject(&mut self, message: &Message, rejection: Rejection) {
        self.metrics.reject(rejection);
        self.rejected.note(&message.subject, rejection);
    }

    /// Local subscribers were called with these signals when they were sent.
    fn receive_echo(&mut self, batch: &SignalBatch, now: Instant) {
        let sent_at = self.bus.lease.moment(batch.sent_micros);
        if sent_at > self.echoed_at && sent_at <= Some(now) {
            self.echoed_at = sent_at;
            self.silent_heartbeats = 0;
            self.bus.echoed.send_replace(batch.sent_micros);
        }
    }

    /// Draws the conclusion from what was received: renews the lease, and tells local subscribers
    /// when they missed something.
    fn settle(&mut self, missed: bool, now: Instant) {
        // Who has left is removed in the moment in which the lease lapses for want of them, whatever
        // woke this task: a departure that was announced is no gap in the coverage.
        let missed = self.publishers.remove_silent(now) || missed;
        let connected = self.connected_at.is_some();
        let link = self.echoed_at.filter(|_| connected);
        let link_until = link.map(|sent_at| sent_at + ROUND_TRIP);
        let whole_until = link_until
            .zip(self.publishers.present_until())
            .map(|(link, present)| link.min(present));
        let known = *self.bus.coverage.borrow();
        // The lease may have lapsed since, and nobody was awake to see it.
        let held = self.bus.lease.coverage(now);
        let coverage = Coverage::of_bus(now, link_until, whole_until);
        let changed = held != known || coverage != held;
        // Streams would wait for ever for what nobody can tell them.
        let again = coverage != Coverage::Everywhere && now >= self.notified_at + UNCOVERED_LIFE;
        if missed || changed || again {
            self.notified_at = now;
            self.metrics.missed.inc();
            // Before the lease is renewed: nobody may trust what a subscriber has yet to forget.
            self.bus.lease.begin_anew(now);
            self.subscribers.missed();
        }
        self.bus.lease.renew(link_until, whole_until);
        self.lapses_at = whole_until.filter(|until| now < *until);
        if coverage != known {
            tracing::info!(
                ?coverage,
                "the coverage of other processes' signals has changed"
            );
            self.metrics.cover(coverage);
            self.bus.coverage.send_replace(coverage);
        }
    }

    /// Publishes what waits, or only that this process is there.
    fn publish(&mut self, client: &Client, now: Instant) {
        let waiting = std::mem::take(&mut *self.bus.waiting.lock());
        let signals = waiting.signals.into_iter();
        let signals: Vec<_> = signals
            .map(|kind| WireSignal { kind: Some(kind) })
            .collect();
        // A number that nobody sees tells the subscribers that something was lost.
        self.number += u64::from(waiting.lost) + u64::from(!signals.is_empty());
        let Some(connected_at) = self.connected_at else {
            return;
        };
        let echoed_at = self.echoed_at.unwrap_or(connected_at);
        let batch = SignalBatch {
            publisher: self.name.clone(),
            number: self.number,
            sent_micros: self.bus.lease.micros(now),
            lagging: now > connected_at.max(echoed_at) + ROUND_TRIP,
            leaving: self.shutdown.is_started(),
            signals,
        };
        let (count, payload) = (batch.signals.len() as u64, batch.encode_to_vec());
        let headers = self.key.sign(&[self.subject.as_bytes(), &payload]);
        // Never waits: a batch that the connection cannot take shows as a gap at the next heartbeat.
        let published = client.publish_with_headers(self.subject.clone(), headers, payload.into());
        let published = published.now_or_never();
        if let Some(Ok(())) = published {
            self.metrics.sent.inc_by(count);
        }
    }
}

/// Resolves at a moment; never for none.
async fn reached(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
