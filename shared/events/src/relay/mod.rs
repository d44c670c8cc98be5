//! Passes the events of an outbox on, in order and at least once.
//!
//! A process takes the partitions that are free and reads them together ([`window`]). What it has
//! delivered it records every few seconds; after a crash another one delivers what came since
//! again. A stream that was made anew, or has lost its end, gets everything that the outbox
//! still has.

pub(crate) mod window;

use std::{collections::HashMap, time::Duration};

use async_trait::async_trait;
use guildhall_data::{Backend, EventId};
use guildhall_runtime::{Result, Shutdown, Timestamp};
use tokio::time::{Instant, sleep};

use self::window::{ROWS, Row, Window};
use crate::{
    backoff::Backoff,
    cursor::{Leases, Mark},
    metrics::RelayMetrics,
    outbox::{Outbox, PARTITIONS},
};

/// How often leases are renewed, and what was delivered is recorded.
const KEEP: Duration = Duration::from_secs(3);
/// How long to wait for news of an outbox before it is read all the same: rows may come from
/// another process.
const POLL: Duration = Duration::from_millis(500);
/// How long events are gathered while others were just delivered: what a round costs, it costs
/// however few they are.
const GATHER: Duration = Duration::from_millis(20);
/// How soon a missing row is looked for again.
const HOLE: Duration = Duration::from_millis(10);

/// How often a sink is asked where it stands, though nothing is delivered to it.
const CHECK: Duration = Duration::from_secs(10);

/// Where events are delivered to.
#[async_trait]
pub(crate) trait Sink: Send + Sync + 'static {
    /// Who reads for it: at most 64 characters.
    fn reader(&self) -> String;

    /// Makes it ready, at the start, after each failure, and once in a while.
    async fn open(&mut self) -> Result<Mark>;

    /// Whether it is still there.
    fn is_open(&self) -> bool;

    /// Delivers rows, those of a partition in their order; all are safe when this returns.
    async fn deliver(&mut self, rows: Vec<Row>) -> Result<Mark>;
}

/// Passes the events of `outbox` on to `sink` until `shutdown`.
pub(crate) fn start(outbox: &Outbox, sink: impl Sink, shutdown: &Shutdown) {
    let leases = Leases {
        database: outbox.database().clone(),
        reader: sink.reader(),
        partitions: PARTITIONS,
        owner: EventId::generate().to_string(),
    };
    let relay = Relay {
        metrics: RelayMetrics::of(outbox.service(), &leases.reader),
        outbox: outbox.clone(),
        leases,
        sink,
        progress: Progress::default(),
        is_ready: false,
        mark: Mark::default(),
        kept_at: None,
        checked_at: Instant::now(),
        saved: None,
    };
    tokio::spawn(relay.run(shutdown.clone()));
}

struct Relay<S> {
    outbox: Outbox,
    leases: Leases,
    sink: S,
    progress: Progress,
    /// Whether the sink can be delivered to.
    is_ready: bool,
    /// The position of the sink when it last answered.
    mark: Mark,
    /// When leases were last renewed.
    kept_at: Option<Instant>,
    /// When the sink was last asked where it stands.
    checked_at: Instant,
    /// The position of each partition that was last recorded.
    saved: Option<HashMap<i16, i64>>,
    metrics: RelayMetrics,
}

/// How far the partitions that are held have come.
#[derive(Debug, Default)]
struct Progress {
    /// What is known to be delivered of each, whatever the window says.
    held: HashMap<i16, i64>,
    window: Window,
}

impl Progress {
    /// Holds these partitions from now on, from their positions if they are new.
    fn hold(&mut self, positions: HashMap<i16, i64>) {
        let is_same = self.held.len() == positions.len()
            && positions.keys().all(|it| self.held.contains_key(it));
        if is_same {
            return;
        }
        let done = self.positions();
        self.held = positions
            .into_iter()
            .map(|(partition, stored)| {
                let position = done.get(&partition).copied().unwrap_or(stored);
                (partition, position)
            })
            .collect();
        let first = self.held.values().copied().min().unwrap_or_default();
        self.window = Window::after(first);
    }

    /// Delivers everything again that the outbox still has.
    fn begin_again(&mut self) {
        for position in self.held.values_mut() {
            *position = 0;
        }
        self.window = Window::default();
    }

    /// The position of each partition that may be recorded.
    fn positions(&self) -> HashMap<i16, i64> {
        let settled = self.window.settled();
        let held = self.held.iter();
        held.map(|(partition, known)| (*partition, settled.max(*known)))
            .collect()
    }

    fn is_due(&self, row: &Row) -> bool {
        self.held
            .get(&row.partition)
            .is_some_and(|known| row.position > *known)
    }
}

impl<S: Sink> Relay<S> {
    async fn run(mut self, shutdown: Shutdown) {
        let mut news = self.outbox.listen();
        let mut backoff = Backoff::default();
        let mut is_prepared = false;
        loop {
            let pause = match self.round(&mut is_prepared).await {
                Ok(Round::Delivered(rows)) => {
                    backoff.reset();
                    // A full window: there is more than one round can take.
                    if rows < ROWS { GATHER } else { Duration::ZERO }
                }
                Ok(Round::Waiting) => HOLE,
                Ok(Round::Nothing) => POLL,
                Err(error) => {
                    self.is_ready = false;
                    self.metrics.failures.inc();
                    backoff.warn(&error, "events cannot be passed on, trying again");
                    backoff.next()
                }
            };
            if shutdown.is_started() {
                return self.leave().await;
            }
            if !pause.is_zero() {
                tokio::select! {
                    () = sleep(pause) => {}
                    _ = news.changed(), if pause == POLL => {}
                    () = shutdown.started() => return self.leave().await,
                }
            }
        }
    }

    async fn round(&mut self, is_prepared: &mut bool) -> Result<Round> {
        if !*is_prepared {
            self.leases.prepare().await?;
            *is_prepared = true;
        }
        self.keep().await?;
        if self.progress.held.is_empty() {
            return Ok(Round::Nothing);
        }
        let database = self.outbox.database();
        let (rows, next) = self.progress.window.read(database).await?;
        let round = match (rows.is_empty(), next.has_holes()) {
            (false, _) => Round::Delivered(rows.len() as u64),
            (true, true) => Round::Waiting,
            (true, false) => Round::Nothing,
        };
        let due = rows.into_iter().filter(|row| self.progress.is_due(row));
        let due: Vec<_> = due.collect();
        if !due.is_empty() {
            self.deliver(due).await?;
        }
        self.progress.window = next;
        Ok(round)
    }

    async fn deliver(&mut self, rows: Vec<Row>) -> Result<()> {
        let oldest = rows.iter().map(|row| row.created_at).min();
        let count = rows.len() as u64;
        let mark = self.sink.deliver(rows).await?;
        self.mark = mark;
        self.metrics.delivered.inc_by(count);
        if let Some(oldest) = oldest {
            let age = Timestamp::now().as_millis() - oldest;
            self.metrics.age.observe(age.max(0) as f64 / 1000.0);
        }
        Ok(())
    }

    /// Renews the leases when it is time, records what was delivered, and makes the sink ready.
    async fn keep(&mut self) -> Result<()> {
        if self.kept_at.is_some_and(|at| at.elapsed() < KEEP) && self.is_ready {
            return Ok(());
        }
        self.save().await?;
        self.kept_at = Some(Instant::now());
        let is_checked = self.sink.is_open() && self.checked_at.elapsed() < CHECK;
        if self.is_ready && is_checked && self.is_alone() {
            return Ok(());
        }
        let taken = self.leases.take().await?;
        let is_new = !self.is_ready || !is_checked || taken.len() != self.progress.held.len();
        let positions = taken
            .iter()
            .map(|cursor| (cursor.partition, cursor.position));
        self.progress.hold(positions.collect());
        if taken.is_empty() || !is_new {
            return Ok(());
        }
        let mark = self.sink.open().await?;
        self.checked_at = Instant::now();
        let keeps_all = taken.iter().all(|cursor| mark.keeps(&Mark::of(cursor)));
        if !keeps_all || !mark.keeps(&self.mark) {
            tracing::warn!(
                stream = self.leases.reader,
                "the stream has lost events that it had: everything of the retention is sent again"
            );
            self.metrics.refills.inc();
            self.progress.begin_again();
        }
        self.mark = mark;
        self.is_ready = true;
        Ok(())
    }

    /// Whether no other process can take what is held: a file is served by one, and its disk need
    /// not wake up for a lease.
    fn is_alone(&self) -> bool {
        self.outbox.database().backend() == Backend::Sqlite
            && self.progress.held.len() == usize::from(PARTITIONS.unsigned_abs())
    }

    async fn save(&mut self) -> Result<()> {
        let positions = self.progress.positions();
        if self.saved.as_ref() == Some(&positions) {
            return Ok(());
        }
        let mut groups: HashMap<i64, Vec<i16>> = HashMap::new();
        for (partition, position) in &positions {
            groups.entry(*position).or_default().push(*partition);
        }
        for (position, partitions) in groups {
            self.leases.save(&partitions, position, &self.mark).await?;
        }
        self.saved = Some(positions);
        Ok(())
    }

    /// Another process goes on where this one ends.
    async fn leave(mut self) {
        let left = async {
            self.save().await?;
            self.leases.release().await
        };
        if let Err(error) = left.await {
            tracing::warn!(?error, "what was passed on last will be passed on again");
        }
    }
}

/// What a round of a relay brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Round {
    /// So many rows, and there may be more.
    Delivered(u64),
    /// A row may still appear among others.
    Waiting,
    /// Nothing is there.
    Nothing,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn positions(of: &[(i16, i64)]) -> HashMap<i16, i64> {
        of.iter().copied().collect()
    }

    #[test]
    fn a_partition_that_is_taken_over_is_read_from_where_it_was_left() {
        let mut progress = Progress::default();
        progress.hold(positions(&[(0, 10), (1, 20)]));
        assert_eq!(progress.window.settled(), 10);
        progress.window = Window::after(30);
        progress.hold(positions(&[(0, 10), (1, 20), (2, 5)]));
        assert_eq!(progress.positions(), positions(&[(0, 30), (1, 30), (2, 5)]));
        assert_eq!(progress.window.settled(), 5);
    }

    #[test]
    fn a_stream_that_lost_something_is_noticed() {
        let mark = |stream: &str, sequence| Mark {
            stream: stream.into(),
            sequence,
        };
        assert!(mark("a", 5).keeps(&mark("a", 5)));
        assert!(mark("a", 5).keeps(&mark("", 0)));
        assert!(!mark("b", 9).keeps(&mark("a", 5)));
        assert!(!mark("a", 4).keeps(&mark("a", 5)));
    }
}
