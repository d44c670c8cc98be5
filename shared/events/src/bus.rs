//! Signals between processes, over the broker.
//!
//! Each service has a subject. A process sends what changed in numbered batches, and an empty
//! batch four times a second, from which listeners see that nothing is missing. It also hears its
//! own batches: as long as they come back in time, what others sent before them was heard.

use std::{collections::HashSet, sync::Arc, time::Duration};

use async_nats::{Client, Message, Subject, Subscriber, connection::State};
use futures::{FutureExt, StreamExt, stream::SelectAll};
use guildhall_data::EventId;
use guildhall_proto::events::v1::SignalBatch;
use guildhall_runtime::{Result, Shutdown};
use parking_lot::Mutex;
use prost::Message as _;
use tokio::{
    sync::{Notify, broadcast, watch},
    time::{Instant, MissedTickBehavior},
};

use crate::{
    Signal,
    broker::{Broker, BusSettings},
    coverage::{Coverage, Lease, UNCOVERED_LIFE},
    metrics::BusFigures,
    roll_call::RollCall,
    wire::MAX_BATCH,
};

/// What all subjects begin with; the service follows.
const SUBJECT: &str = "guildhall.signals.v1.";
/// How often a process says that it is there.
const BEAT: Duration = Duration::from_millis(250);
/// How long a batch may take to the broker and back.
const ROUND_TRIP: Duration = Duration::from_millis(500);
/// Beats without one of our own batches before a connection is given up: five seconds.
const DEAF_BEATS: u32 = 20;
/// Signals that may wait to be sent; with more of them, listeners forget everything.
const WAITING: usize = 1024;
/// The longest name of a publisher, in bytes.
const MAX_NAME: usize = 64;
/// How long a process that ends waits for the broker.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// The part of the bus that all of a process share.
#[derive(Debug)]
pub(crate) struct Bus {
    pub(crate) lease: Lease,
    pub(crate) coverage: watch::Sender<Coverage>,
    waiting: Mutex<Waiting>,
    wake: Notify,
    /// When the newest of our own batches that came back was sent, in the lease's microseconds.
    returned: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Waiting {
    /// A signal that waits twice is sent once.
    signals: HashSet<Signal>,
    /// Some could not wait.
    lost: bool,
}

impl Bus {
    /// Sends a signal as soon as possible.
    pub(crate) fn enqueue(&self, signal: Signal) {
        let mut waiting = self.waiting.lock();
        if signal == Signal::Missed || waiting.signals.len() >= WAITING {
            waiting.lost = true;
            waiting.signals.clear();
        } else if !waiting.lost {
            waiting.signals.insert(signal);
        }
        drop(waiting);
        self.wake.notify_one();
    }

    /// See [`crate::Signals::delivered`].
    pub(crate) async fn delivered(&self) -> bool {
        let asked_at = self.lease.micros(Instant::now());
        let mut returned = self.returned.subscribe();
        self.wake.notify_one();
        // A batch takes along all that waits, so one that was sent later is enough.
        let returned = returned.wait_for(|sent| *sent > asked_at);
        let in_time = tokio::time::timeout(LAST_WORDS, returned).await;
        in_time.is_ok_and(|returned| returned.is_ok())
    }
}

/// Starts the task that speaks and listens on the bus.
pub(crate) fn start(
    settings: &BusSettings,
    local: broadcast::Sender<Signal>,
    shutdown: &Shutdown,
) -> Result<Arc<Bus>> {
    let name = EventId::generate().to_string();
    let figures = BusFigures::new();
    let broker = Broker::new(settings, &name, figures.connects.clone())?;
    let bus = Arc::new(Bus {
        lease: Lease::new(),
        coverage: watch::Sender::new(Coverage::Broken),
        waiting: Mutex::default(),
        wake: Notify::new(),
        returned: watch::Sender::new(0),
    });
    let needed = settings.hears.iter().copied();
    let member = Member {
        name,
        subject: format!("{SUBJECT}{}", settings.service).into(),
        service: settings.service,
        hears: settings.hears,
        roll: RollCall::new(
            needed
                .filter(|needed| *needed != settings.service)
                .collect(),
        ),
        number: 0,
        connected_at: None,
        returned_at: None,
        deaf_beats: 0,
        lapses_at: None,
        told_at: Instant::now(),
        bus: Arc::clone(&bus),
        figures,
        local,
        shutdown: shutdown.clone(),
    };
    tokio::spawn(member.run(broker));
    Ok(bus)
}

/// This process on the bus.
struct Member {
    name: String,
    subject: Subject,
    service: &'static str,
    hears: &'static [&'static str],
    roll: RollCall,
    /// Of the last batch with signals.
    number: u64,
    /// Since when the broker is connected; none while it is not.
    connected_at: Option<Instant>,
    /// When the newest of our own batches that came back was sent.
    returned_at: Option<Instant>,
    /// Beats since then.
    deaf_beats: u32,
    /// When coverage lapses unless something is heard; none while there is none.
    lapses_at: Option<Instant>,
    /// When local listeners were last told that they missed something.
    told_at: Instant,
    bus: Arc<Bus>,
    figures: BusFigures,
    local: broadcast::Sender<Signal>,
    shutdown: Shutdown,
}

/// Why the task woke up.
enum Turn {
    Beat,
    Wake,
    Heard(Message),
}

impl Member {
    async fn run(mut self, broker: Broker) {
        let (client, mut heard) = match self.join(broker).await {
            Ok(joined) => joined,
            Err(error) => {
                tracing::error!(error, "the bus cannot be used");
                return;
            }
        };
        let bus = Arc::clone(&self.bus);
        let mut beat = tokio::time::interval(BEAT);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // Nobody sends or asks any more once this task alone holds the bus.
        while Arc::strong_count(&bus) > 2 {
            let turn = tokio::select! {
                _ = beat.tick() => Turn::Beat,
                () = bus.wake.notified() => Turn::Wake,
                () = reached(self.lapses_at) => Turn::Wake,
                Some(message) = heard.next() => Turn::Heard(message),
            };
            let now = Instant::now();
            if let Turn::Heard(message) = &turn {
                let missed = self.hear(message, now);
                self.settle(missed, now);
                continue;
            }
            if let Turn::Beat = turn {
                self.look_after(&client);
            }
            self.note_connection(&client, now);
            let missed = self.roll.forget_silent(now);
            self.settle(missed, now);
            self.speak(&client, now);
        }
    }

    async fn join(
        &self,
        broker: Broker,
    ) -> Result<(Client, SelectAll<Subscriber>), async_nats::Error> {
        let client = broker.options.connect(broker.servers).await?;
        let services: HashSet<_> = self.hears.iter().chain([&self.service]).collect();
        let mut heard = SelectAll::new();
        for service in services {
            heard.push(client.subscribe(format!("{SUBJECT}{service}")).await?);
        }
        Ok((client, heard))
    }

    fn note_connection(&mut self, client: &Client, now: Instant) {
        let connected = client.connection_state() == State::Connected;
        self.connected_at = connected.then(|| self.connected_at.unwrap_or(now));
    }

    /// Gives a connection up that counts as open and brings nothing back.
    fn look_after(&mut self, client: &Client) {
        self.deaf_beats += 1;
        if self.deaf_beats >= DEAF_BEATS && self.connected_at.is_some() {
            self.deaf_beats = 0;
            // Where even this cannot wait in line, the next time can.
            let _ = client.force_reconnect().now_or_never();
        }
    }

    /// Passes on what a message says; whether something before it was missed.
    fn hear(&mut self, message: &Message, now: Instant) -> bool {
        let service = message.subject.strip_prefix(SUBJECT).unwrap_or_default();
        // What cannot be read is missed, and its number will tell.
        let Some(batch) = read(message) else {
            tracing::debug!(service, "a batch of signals cannot be read");
            return false;
        };
        if batch.publisher == self.name {
            self.hear_myself(&batch, now);
            return false;
        }
        let Some(service) = self.hears.iter().find(|heard| **heard == service) else {
            return false;
        };
        let missed = self.roll.hear(service, &batch, now);
        for signal in batch.signals.into_iter().filter_map(Signal::from_wire) {
            self.figures.received.inc();
            // Nobody listens: nobody has cached anything.
            let _ = self.local.send(signal);
        }
        missed
    }

    fn hear_myself(&mut self, batch: &SignalBatch, now: Instant) {
        // Local listeners have had these signals when they were sent.
        let sent_at = self.bus.lease.moment(batch.sent_micros);
        if sent_at > self.returned_at && sent_at <= Some(now) {
            self.returned_at = sent_at;
            self.deaf_beats = 0;
            self.bus.returned.send_replace(batch.sent_micros);
        }
    }

    /// Draws the sum of what was heard: renews the lease, and tells local listeners what they have
    /// to know.
    fn settle(&mut self, missed: bool, now: Instant) {
        let connected = self.connected_at.is_some();
        let link = self.returned_at.filter(|_| connected);
        let link_until = link.map(|sent_at| sent_at + ROUND_TRIP);
        let whole_until = link_until
            .zip(self.roll.whole_until())
            .map(|(link, roll)| link.min(roll));
        let known = *self.bus.coverage.borrow();
        // The lease may have lapsed since, and nobody was awake to see it.
        let held = self.bus.lease.coverage(now);
        let coverage = coverage(now, link_until, whole_until);
        let changed = held != known || coverage != held;
        // Streams would wait for ever for what nobody can tell them.
        let again = coverage != Coverage::Everywhere && now >= self.told_at + UNCOVERED_LIFE;
        if missed || changed || again {
            self.told_at = now;
            self.figures.missed.inc();
            self.bus.lease.begin_anew(now);
            let _ = self.local.send(Signal::Missed);
        }
        self.bus.lease.renew(link_until, whole_until);
        self.lapses_at = whole_until.filter(|until| now < *until);
        if coverage != known {
            tracing::info!(?coverage, "what is heard of other processes has changed");
            self.figures.cover(coverage);
            self.bus.coverage.send_replace(coverage);
        }
    }

    /// Sends what waits, or only that this process is there.
    fn speak(&mut self, client: &Client, now: Instant) {
        let waiting = std::mem::take(&mut *self.bus.waiting.lock());
        let signals: Vec<_> = waiting
            .signals
            .into_iter()
            .filter_map(Signal::to_wire)
            .collect();
        // A number that nobody sees tells the listeners that something was lost.
        self.number += u64::from(waiting.lost) + u64::from(!signals.is_empty());
        let Some(connected_at) = self.connected_at else {
            return;
        };
        let returned_at = self.returned_at.unwrap_or(connected_at);
        let batch = SignalBatch {
            publisher: self.name.clone(),
            number: self.number,
            sent_micros: self.bus.lease.micros(now),
            lagging: now > connected_at.max(returned_at) + ROUND_TRIP,
            leaving: self.shutdown.is_started(),
            signals,
        };
        let (count, payload) = (batch.signals.len() as u64, batch.encode_to_vec().into());
        // Never waits: a batch that the connection cannot take shows as a gap at the next beat.
        let published = client.publish(self.subject.clone(), payload).now_or_never();
        if let Some(Ok(())) = published {
            self.figures.sent.inc_by(count);
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

fn coverage(now: Instant, link_until: Option<Instant>, whole_until: Option<Instant>) -> Coverage {
    let holds = |until: Option<Instant>| until.is_some_and(|until| now < until);
    if holds(whole_until) {
        Coverage::Everywhere
    } else if holds(link_until) {
        Coverage::Partial
    } else {
        Coverage::Broken
    }
}

fn read(message: &Message) -> Option<SignalBatch> {
    if message.payload.len() > MAX_BATCH {
        return None;
    }
    let batch = SignalBatch::decode(message.payload.clone()).ok()?;
    (1..=MAX_NAME)
        .contains(&batch.publisher.len())
        .then_some(batch)
}
