//! What requests came to, and whether the database agrees.

use std::{
    collections::{HashMap, HashSet},
    fmt,
    time::{Duration, Instant},
};

use crate::{
    ledger::{self, Ledger},
    traffic::Room,
};

/// What became of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// The message is said to be stored.
    Stored {
        /// Its id.
        id: String,
        /// What it says, unlike any other.
        text: String,
    },
    /// Read, and as it should be.
    Read,
    /// Unavailable, with a hint when to try again; what was said besides.
    Refused(String),
    /// An earlier request with the same Idempotency-Key is still under way.
    InFlight,
    /// What must not happen.
    Wrong(String),
}

/// A request that has ended.
#[derive(Debug, Clone)]
pub struct Record {
    /// Whose it was.
    pub client: usize,
    /// The way that it took.
    pub via: &'static str,
    /// When it began.
    pub began: Instant,
    /// How long it took.
    pub took: Duration,
    /// What became of it.
    pub fate: Fate,
}

impl Record {
    /// Whether it did what it was to do.
    #[must_use]
    pub fn is_right(&self) -> bool {
        matches!(self.fate, Fate::Stored { .. } | Fate::Read)
    }

    fn is_refused(&self) -> bool {
        matches!(self.fate, Fate::Refused(_))
    }
}

/// All requests of a test.
#[derive(Debug, Clone)]
pub struct Records {
    room: Room,
    records: Vec<Record>,
}

/// Some of the requests in a line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// All of them.
    pub requests: usize,
    /// Those that did what they were to do.
    pub right: usize,
    /// Those that were told to try again.
    pub refused: usize,
    /// Those whose Idempotency-Key was in flight.
    pub in_flight: usize,
    /// The time of the longest.
    pub longest: Duration,
}

impl Records {
    pub(crate) fn new(room: Room, records: Vec<Record>) -> Self {
        Self { room, records }
    }

    /// Those that took this way.
    #[must_use]
    pub fn via(&self, via: &str) -> Self {
        self.filtered(|record| record.via == via)
    }

    /// Those that were under way within this time.
    #[must_use]
    pub fn during(&self, from: Instant, to: Instant) -> Self {
        self.filtered(|record| record.began < to && record.began + record.took > from)
    }

    /// Those that began and ended within this time.
    #[must_use]
    pub fn within(&self, from: Instant, to: Instant) -> Self {
        self.filtered(|record| record.began >= from && record.began + record.took <= to)
    }

    /// Those that began within this time.
    #[must_use]
    pub fn begun(&self, from: Instant, to: Instant) -> Self {
        self.filtered(|record| (from..to).contains(&record.began))
    }

    fn filtered(&self, keep: impl Fn(&Record) -> bool) -> Self {
        let records = self.records.iter().filter(|record| keep(record));
        Self::new(self.room.clone(), records.cloned().collect())
    }

    /// Their figures.
    #[must_use]
    pub fn figures(&self) -> Counts {
        let took = self.records.iter().map(|record| record.took);
        Counts {
            requests: self.records.len(),
            right: self.count(Record::is_right),
            refused: self.count(Record::is_refused),
            in_flight: self.count(|record| record.fate == Fate::InFlight),
            longest: took.max().unwrap_or_default(),
        }
    }

    fn count(&self, is: impl Fn(&Record) -> bool) -> usize {
        self.records.iter().filter(|record| is(record)).count()
    }

    /// Each was answered right, or unavailable with a hint.
    #[track_caller]
    pub fn expect_no_surprise(&self) {
        let wrong = self.records.iter().filter_map(|record| {
            let Fate::Wrong(what) = &record.fate else {
                return None;
            };
            Some(format!("{} after {:?}: {what}", record.via, record.took))
        });
        let wrong: Vec<_> = wrong.collect();
        let shown = &wrong[..wrong.len().min(10)];
        assert!(
            wrong.is_empty(),
            "{} wrong answers: {shown:#?}",
            wrong.len()
        );
    }

    /// From `moment` to the beginning of the last request that was not answered right.
    #[must_use]
    pub fn recovered_in(&self, moment: Instant) -> Duration {
        let late = self.records.iter().filter(|record| !record.is_right());
        let late = late.map(|record| record.began.saturating_duration_since(moment));
        late.max().unwrap_or_default()
    }

    /// What became of the messages, by what is stored; nothing must be lost or doubled.
    ///
    /// # Panics
    /// When something is, or what is stored is not sound.
    #[must_use]
    pub fn compare(&self, ledger: &Ledger) -> ledger::Outcome {
        ledger.assert_sound();
        let rows = ledger.rows.iter();
        let rows: Vec<_> = rows
            .filter(|row| row.channel_id == self.room.channel)
            .collect();
        let by_id: HashMap<_, _> = rows.iter().map(|row| (&row.id, &row.text)).collect();
        let texts: HashSet<_> = rows.iter().map(|row| &row.text).collect();
        let acknowledged = self.records.iter().filter_map(|record| match &record.fate {
            Fate::Stored { id, text } => Some((id, text)),
            Fate::Read | Fate::Refused(_) | Fate::InFlight | Fate::Wrong(_) => None,
        });
        let acknowledged: HashMap<_, _> = acknowledged.collect();
        let lost = acknowledged
            .iter()
            .filter(|(id, text)| by_id.get(*id) != Some(*text));
        let outcome = ledger::Outcome {
            lost: lost.count(),
            doubled: rows.len() - texts.len(),
            unacknowledged: by_id
                .keys()
                .filter(|id| !acknowledged.contains_key(*id))
                .count(),
        };
        assert_eq!((outcome.lost, outcome.doubled), (0, 0), "{outcome:?}");
        outcome
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            requests,
            right,
            refused,
            in_flight,
            longest,
        } = self;
        write!(
            f,
            "{requests} requests, {right} right, {refused} unavailable, {in_flight} in flight, \
             longest {longest:.1?}"
        )
    }
}
