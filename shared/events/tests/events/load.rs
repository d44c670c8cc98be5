//! Writers who commit events all the time, and what each of them was told.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use guildhall_data::Database;
use guildhall_testkit::Chance;
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{sleep, timeout},
};

use crate::ledger::{Ledger, Pages, Source};

/// Each key has a writer of its own, whose order is its order.
const KEYS: [&str; 4] = ["ann", "bob", "cid", "dan"];
/// Events of a transaction, at most.
const LARGEST: usize = 30;
/// How long a transaction stays open that ends late.
const LATE: Duration = Duration::from_millis(100);
/// How long progress may take, whatever is away meanwhile.
const TIMEOUT: Duration = Duration::from_secs(60);

/// What writers were told of their events: key and number.
#[derive(Debug, Default)]
pub struct Told {
    pub committed: BTreeSet<(String, String)>,
    /// Not committed: refused, or given up by the writer.
    pub refused: BTreeSet<(String, String)>,
    /// Nobody could say.
    pub in_doubt: BTreeSet<(String, String)>,
}

impl Told {
    fn and(mut self, other: Self) -> Self {
        self.committed.extend(other.committed);
        self.refused.extend(other.refused);
        self.in_doubt.extend(other.in_doubt);
        self
    }

    /// What is `kept` is what they were told, in the order in which each of them wrote.
    pub fn expect_kept(&self, kept: &Pages) {
        expect_in_order(kept);
        let mut unknown = BTreeSet::new();
        for (key, page) in kept {
            unknown.extend(page.iter().map(|what| (key.clone(), what.clone())));
        }
        let lost: Vec<_> = self.committed.difference(&unknown).collect();
        assert!(lost.is_empty(), "committed, and not kept: {lost:?}");
        unknown.retain(|event| !self.committed.contains(event));
        let refused: Vec<_> = unknown.intersection(&self.refused).collect();
        assert!(refused.is_empty(), "refused, and kept: {refused:?}");
        unknown.retain(|event| !self.in_doubt.contains(event));
        assert!(unknown.is_empty(), "kept, and nobody's: {unknown:?}");
    }
}

/// How many events came to what.
#[derive(Debug, Default)]
struct Progress {
    committed: usize,
    /// By the database, or in doubt.
    refused: usize,
}

/// The writers at work.
pub struct Load {
    tasks: JoinSet<Told>,
    progress: watch::Sender<Progress>,
    enough: Arc<AtomicBool>,
}

impl Load {
    /// Writers to `source`, who rest for `pace` after each transaction.
    pub fn start(source: &Source, pace: Duration) -> Self {
        let (progress, enough) = (watch::Sender::default(), Arc::default());
        let mut tasks = JoinSet::new();
        for key in KEYS {
            let writer = Writer {
                source: source.clone(),
                key,
                pace,
                chance: Chance::seeded(key),
                next: 0,
                told: Told::default(),
                progress: progress.clone(),
                enough: Arc::clone(&enough),
            };
            tasks.spawn(writer.run());
        }
        Self {
            tasks,
            progress,
            enough,
        }
    }

    /// Events that are committed, as far as the writers know.
    pub fn committed(&self) -> usize {
        self.progress.borrow().committed
    }

    /// Waits until so many are committed.
    pub async fn reaches(&self, count: usize) {
        self.comes_to(|progress| progress.committed >= count).await;
    }

    /// Waits until so many more are refused.
    pub async fn is_refused(&self, count: usize) {
        let refused = self.progress.borrow().refused + count;
        self.comes_to(|progress| progress.refused >= refused).await;
    }

    async fn comes_to(&self, wanted: impl FnMut(&Progress) -> bool) {
        let mut progress = self.progress.subscribe();
        let reached = timeout(TIMEOUT, progress.wait_for(wanted)).await;
        reached.expect("no progress").unwrap();
    }

    /// Waits until so many more are committed.
    pub async fn goes_on(&self, count: usize) {
        self.reaches(self.committed() + count).await;
    }

    /// Lets each finish its transaction.
    pub async fn end(mut self) -> Told {
        self.enough.store(true, Ordering::Relaxed);
        let mut told = Told::default();
        while let Some(writer) = self.tasks.join_next().await {
            told = told.and(writer.unwrap());
        }
        told
    }
}

struct Writer {
    source: Source,
    key: &'static str,
    pace: Duration,
    chance: Chance,
    next: usize,
    told: Told,
    progress: watch::Sender<Progress>,
    enough: Arc<AtomicBool>,
}

/// What became of a transaction.
enum Outcome {
    Committed,
    GivenUp,
    Refused,
    InDoubt,
}

/// How a writer ends a transaction.
enum Timing {
    AtOnce,
    Late,
    GivenUp,
}

impl Writer {
    async fn run(mut self) -> Told {
        while !self.enough.load(Ordering::Relaxed) {
            let timing = match self.chance.below(6) {
                0 => Timing::GivenUp,
                1 => Timing::Late,
                _ => Timing::AtOnce,
            };
            let count = 1 + self.chance.below(LARGEST);
            let events: Vec<_> = (0..count).map(|n| (self.next + n).to_string()).collect();
            self.next += count;
            let outcome = self.write(&timing, &events).await;
            let told = match outcome {
                Outcome::Committed => &mut self.told.committed,
                Outcome::GivenUp | Outcome::Refused => &mut self.told.refused,
                Outcome::InDoubt => &mut self.told.in_doubt,
            };
            told.extend(events.into_iter().map(|event| (self.key.to_owned(), event)));
            self.progress.send_modify(|progress| match outcome {
                Outcome::Committed => progress.committed += count,
                Outcome::GivenUp => {}
                Outcome::Refused | Outcome::InDoubt => progress.refused += count,
            });
            sleep(self.pace).await;
        }
        self.told
    }

    async fn write(&self, timing: &Timing, events: &[String]) -> Outcome {
        let Ok(transaction) = self.source.database.begin().await else {
            return Outcome::Refused;
        };
        let events: Vec<_> = events.iter().map(String::as_str).collect();
        let written = self.source.try_write(&transaction, self.key, &events);
        if written.await.is_err() {
            return Outcome::Refused;
        }
        match timing {
            Timing::AtOnce => {}
            Timing::Late => sleep(LATE).await,
            Timing::GivenUp => return Outcome::GivenUp,
        }
        if Database::commit(transaction).await.is_err() {
            return Outcome::InDoubt;
        }
        self.source.outbox.announce();
        Outcome::Committed
    }
}

/// Events of each key are kept in the order in which their writer numbered them.
pub fn expect_in_order(kept: &Pages) {
    for (key, page) in kept {
        let number = |what: &String| what.parse::<usize>().expect("a number");
        let in_order = page.is_sorted_by(|a, b| number(a) < number(b));
        assert!(in_order, "{key} is not kept in its order: {page:?}");
    }
}

/// The same under each key, with the first difference of one where it is not.
pub fn expect_same(written_down: &Pages, kept: &Pages) {
    for (key, page) in kept {
        let other = written_down.get(key).map(Vec::as_slice).unwrap_or_default();
        let same = page.iter().zip(other).take_while(|(a, b)| a == b).count();
        let (wanted, found) = (page.get(same), other.get(same));
        assert_eq!(
            (found, other.len()),
            (wanted, page.len()),
            "{key}: event {same} and the number of all, as handled and as committed"
        );
    }
    assert_eq!(written_down.len(), kept.len(), "keys");
}

/// What was committed is handled once, in its order; what was refused is nowhere.
pub async fn expect_handled(ledger: &mut Ledger, source: &Source, told: &Told) {
    let kept = source.pages().await;
    told.expect_kept(&kept);
    let count = kept.values().map(Vec::len).sum();
    expect_same(&ledger.pages_of(count).await, &kept);
}
