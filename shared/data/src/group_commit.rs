//! Writes that arrive together go to disk together.
//!
//! What arrives while a commit is under way goes in the next. There is no timer: an idle system
//! commits a lone item at once. The queue is bounded, so load turns into refusals, not memory.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use guildhall_runtime::{
    Error, ErrorKind, Reason, Result,
    trace::{self, Origin},
};
use tokio::sync::{mpsc, oneshot};
use tracing::{Instrument, Span};

use crate::{database::outcome_unknown, metrics::CommitFigures};

/// Items that wait at most.
const QUEUE: usize = 4096;

/// Items in one transaction at most.
const BATCH: usize = 512;

/// Rests before a batch is tried again.
const PAUSES: [Duration; 3] = [
    Duration::from_millis(10),
    Duration::from_millis(100),
    Duration::from_millis(400),
];

/// How long a batch is tried again: callers wait behind it.
const PATIENCE: Duration = Duration::from_secs(2);

/// How a batch was not stored.
#[derive(Debug)]
pub enum Failure {
    /// Nothing of it was stored.
    RolledBack(Error),
    /// The connection died at COMMIT: nobody knows yet.
    Unknown(Error),
}

/// What is stored, and how.
#[async_trait]
pub trait Batch: Send + Sync + 'static {
    /// One caller's write. It names its rows by ids of its own.
    type Item: Send + Sync + 'static;
    /// What the caller learns.
    type Answer: Send + 'static;

    /// What its metrics call it.
    const NAME: &'static str;

    /// Stores all items in one transaction and answers them in their order.
    async fn commit(&self, items: &[Self::Item]) -> Result<Vec<Self::Answer>, Failure>;

    /// Looks up by their ids which items were stored after all, in their order. It must not
    /// answer before the commit in doubt has come to its end.
    async fn outcomes(&self, items: &[Self::Item]) -> Result<Vec<Option<Self::Answer>>>;
}

struct Pending<B: Batch> {
    item: B::Item,
    answer: oneshot::Sender<Result<B::Answer>>,
    arrived: Instant,
    origin: Origin,
}

/// The queue in front of a [`Batch`]. Cheap to clone; ends when the last clone is dropped.
pub struct GroupCommit<B: Batch> {
    queue: mpsc::Sender<Pending<B>>,
    figures: CommitFigures,
}

impl<B: Batch> Clone for GroupCommit<B> {
    fn clone(&self) -> Self {
        Self {
            queue: self.queue.clone(),
            figures: self.figures.clone(),
        }
    }
}

impl<B: Batch> std::fmt::Debug for GroupCommit<B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GroupCommit")
            .field("free", &self.queue.capacity())
            .finish()
    }
}

impl<B: Batch> GroupCommit<B> {
    /// Starts the task that commits.
    pub fn start(batch: B) -> Self {
        let (queue, arrivals) = mpsc::channel(QUEUE);
        let figures = CommitFigures::of(B::NAME);
        let committer = Committer {
            batch,
            figures: figures.clone(),
        };
        tokio::spawn(run(Arc::new(committer), arrivals));
        Self { queue, figures }
    }

    /// Stores an item; it is on disk when this returns. Dropping the future cancels nothing.
    ///
    /// # Errors
    /// OVERLOADED when the queue is full, OUTCOME_UNKNOWN when nobody can say, and whatever the
    /// batch says of this item.
    pub async fn submit(&self, item: B::Item) -> Result<B::Answer> {
        let (answer, answered) = oneshot::channel();
        let waiting = tracing::info_span!(target: trace::TARGET, "commit.wait");
        let pending = Pending {
            item,
            answer,
            arrived: Instant::now(),
            origin: Origin::here(&waiting),
        };
        // Before it is taken off again.
        self.figures.waiting.inc();
        self.queue.try_send(pending).map_err(|_full| {
            self.figures.waiting.dec();
            self.figures.refusals.inc();
            Error::unavailable(Reason::Overloaded, "Too many writes are waiting, try again")
        })?;
        answered
            .instrument(waiting)
            .await
            .map_err(Error::internal)?
    }
}

/// What commits, and counts what becomes of it.
struct Committer<B> {
    batch: B,
    figures: CommitFigures,
}

async fn run<B: Batch>(committer: Arc<Committer<B>>, mut arrivals: mpsc::Receiver<Pending<B>>) {
    let mut pending = Vec::with_capacity(BATCH);
    let figures = &committer.figures;
    while arrivals.recv_many(&mut pending, BATCH).await > 0 {
        let began = Instant::now();
        figures.begin(pending.iter().map(|pending| began - pending.arrived));
        let (items, (answers, origins)): (Vec<_>, (Vec<_>, Vec<_>)) = pending
            .drain(..)
            .map(|pending| (pending.item, (pending.answer, pending.origin)))
            .unzip();
        // A panic in a batch must not end the queue for everybody.
        let stores = Arc::clone(&committer);
        let (log, span) = (log_of(&origins), span_of(&origins));
        let stored = async move { stores.store(items, &origins).await };
        let stored = tokio::spawn(stored.instrument(span).instrument(log)).await;
        figures.duration.observe(began.elapsed().as_secs_f64());
        match stored {
            Ok(results) => {
                for (answer, result) in answers.into_iter().zip(results) {
                    // Nobody waits any more: the write stands all the same.
                    let _ = answer.send(result);
                }
            }
            Err(panic) => {
                tracing::error!(%panic, "a commit panicked");
                figures.panicked.inc();
                for answer in answers {
                    let _ = answer.send(Err(Error::bug("the commit panicked")));
                }
            }
        }
    }
}

/// What a commit says about an item alone, it says in the name of its request.
fn log_of(origins: &[Origin]) -> Span {
    match origins {
        [alone] => alone.log(),
        _ => Span::none(),
    }
}

fn span_of(origins: &[Origin]) -> Span {
    Origin::join(origins, || {
        let size = origins.len();
        tracing::info_span!(target: trace::TARGET, "commit", guildhall.commit.size = size)
    })
}

impl<B: Batch> Committer<B> {
    /// Stores all items together; when that fails, one by one, so that a bad item fails alone.
    async fn store(&self, items: Vec<B::Item>, origins: &[Origin]) -> Vec<Result<B::Answer>> {
        match self.commit(&items).await {
            Ok(answers) => answers.into_iter().map(Ok).collect(),
            Err(Failure::RolledBack(error)) if items.len() == 1 || passes(&error) => {
                items.iter().map(|_| Err(error.clone())).collect()
            }
            Err(Failure::RolledBack(error)) => {
                tracing::warn!(items = items.len(), %error, "a batch failed, storing its items one by one");
                let mut results = Vec::with_capacity(items.len());
                for (item, origin) in items.into_iter().zip(origins) {
                    let alone = self.store_alone(item);
                    results.push(alone.instrument(origin.log()).await);
                }
                results
            }
            Err(Failure::Unknown(error)) => {
                // No failure yet: if it becomes one, each request says so.
                tracing::info!(items = items.len(), %error, "a commit's outcome is unknown, looking it up");
                self.look_up(&items).await
            }
        }
    }

    async fn store_alone(&self, item: B::Item) -> Result<B::Answer> {
        let alone = [item];
        let answers = match self.commit(&alone).await {
            Ok(answers) => answers.into_iter().map(Ok).collect(),
            Err(Failure::RolledBack(error)) => vec![Err(error)],
            Err(Failure::Unknown(_)) => self.look_up(&alone).await,
        };
        let answer = answers.into_iter().next();
        answer.unwrap_or_else(|| Err(Error::bug("a commit answered nothing")))
    }

    /// Commits, and tries again when nothing was stored and what was in the way may be gone: after
    /// a restart of the database, connections die one by one as they are used.
    async fn commit(&self, items: &[B::Item]) -> Result<Vec<B::Answer>, Failure> {
        let give_up = Instant::now() + PATIENCE;
        let mut pauses = PAUSES.into_iter();
        loop {
            let stored = self.batch.commit(items).await;
            self.figures.judge(&stored);
            match stored {
                Err(Failure::RolledBack(error)) if passes(&error) && Instant::now() < give_up => {
                    let Some(pause) = pauses.next() else {
                        return Err(Failure::RolledBack(error));
                    };
                    tokio::time::sleep(pause).await;
                }
                stored => return stored,
            }
        }
    }

    async fn look_up(&self, items: &[B::Item]) -> Vec<Result<B::Answer>> {
        match self.batch.outcomes(items).await {
            Ok(outcomes) => outcomes.into_iter().map(stored_or_not).collect(),
            Err(error) => {
                self.figures.unresolved.inc();
                let unknown = outcome_unknown().caused_by(error);
                items.iter().map(|_| Err(unknown.clone())).collect()
            }
        }
    }
}

/// Whether what failed is the database as a whole, and no item in particular.
fn passes(error: &Error) -> bool {
    error.kind() == ErrorKind::Unavailable
}

fn stored_or_not<A>(outcome: Option<A>) -> Result<A> {
    outcome.ok_or_else(|| Error::unavailable(Reason::Unreachable, "It was not stored, try again"))
}

#[cfg(test)]
mod tests {
    use std::{
        collections::HashSet,
        sync::atomic::{AtomicBool, Ordering},
    };

    use parking_lot::Mutex;
    use tokio::sync::Semaphore;

    use super::*;

    type Batches = Arc<Mutex<Vec<Vec<u32>>>>;

    /// A store in memory that refuses 13, loses its connection at 99, is down once for 502 and
    /// always for 503, and waits for permission.
    struct Memory {
        passed: AtomicBool,
        batches: Batches,
        rows: Mutex<HashSet<u32>>,
        gate: Arc<Semaphore>,
    }

    #[async_trait]
    impl Batch for Memory {
        type Item = u32;
        type Answer = u32;
        const NAME: &'static str = "numbers";

        async fn commit(&self, items: &[u32]) -> Result<Vec<u32>, Failure> {
            self.gate.acquire().await.unwrap().forget();
            if items.contains(&13) {
                return Err(Failure::RolledBack(Error::invalid("item", "unlucky")));
            }
            let passing = items.contains(&502) && !self.passed.swap(true, Ordering::SeqCst);
            if passing || items.contains(&503) {
                let down = Error::unavailable(Reason::Unreachable, "down");
                return Err(Failure::RolledBack(down));
            }
            self.batches.lock().push(items.to_vec());
            self.rows.lock().extend(items);
            if items.contains(&99) {
                return Err(Failure::Unknown(Error::bug("connection lost")));
            }
            Ok(items.to_vec())
        }

        async fn outcomes(&self, items: &[u32]) -> Result<Vec<Option<u32>>> {
            let rows = self.rows.lock();
            Ok(items.iter().map(|item| rows.get(item).copied()).collect())
        }
    }

    fn memory(permits: usize) -> (GroupCommit<Memory>, Batches, Arc<Semaphore>) {
        let batches = Arc::new(Mutex::new(Vec::new()));
        let gate = Arc::new(Semaphore::new(permits));
        let memory = Memory {
            batches: batches.clone(),
            rows: Mutex::default(),
            passed: AtomicBool::default(),
            gate: gate.clone(),
        };
        (GroupCommit::start(memory), batches, gate)
    }

    async fn submit_all(queue: &GroupCommit<Memory>, items: &[u32]) -> Vec<Result<u32>> {
        futures::future::join_all(items.iter().map(|item| queue.submit(*item))).await
    }

    #[tokio::test]
    async fn what_arrives_during_a_commit_goes_in_the_next() {
        let (queue, batches, gate) = memory(0);
        let first = tokio::spawn({
            let queue = queue.clone();
            async move { queue.submit(1).await }
        });
        // The first commit is under way once the queue is empty again.
        while queue.queue.capacity() < QUEUE || gate.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        tokio::task::yield_now().await;
        let rest = tokio::spawn(async move { submit_all(&queue, &[2, 3, 4]).await });
        tokio::task::yield_now().await;
        gate.add_permits(10);
        assert_eq!(first.await.unwrap().unwrap(), 1);
        assert!(rest.await.unwrap().into_iter().all(|answer| answer.is_ok()));
        assert_eq!(*batches.lock(), [vec![1], vec![2, 3, 4]]);
    }

    #[tokio::test]
    async fn one_bad_item_fails_alone() {
        let (queue, _, _) = memory(100);
        let answers = submit_all(&queue, &[1, 13, 2]).await;
        assert_eq!(answers[0].as_ref().unwrap(), &1);
        assert_eq!(answers[1].as_ref().unwrap_err().message(), "unlucky");
        assert_eq!(answers[2].as_ref().unwrap(), &2);
    }

    #[tokio::test]
    async fn an_unknown_outcome_is_looked_up() {
        let (queue, _, _) = memory(100);
        let answers = submit_all(&queue, &[98, 99]).await;
        assert!(answers.into_iter().all(|answer| answer.is_ok()));
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_in_the_way_for_a_moment_is_not_noticed() {
        let (queue, batches, _) = memory(100);
        let answers = submit_all(&queue, &[1, 502]).await;
        assert!(answers.into_iter().all(|answer| answer.is_ok()));
        assert_eq!(*batches.lock(), [vec![1, 502]]);
    }

    #[tokio::test(start_paused = true)]
    async fn an_outage_fails_all_at_once_and_not_each_on_its_own() {
        let (queue, _, gate) = memory(100);
        for answer in submit_all(&queue, &[1, 503, 2]).await {
            assert_eq!(answer.unwrap_err().reason(), Reason::Unreachable);
        }
        let tries = 100 - gate.available_permits();
        assert_eq!(
            tries,
            1 + PAUSES.len(),
            "the batch, and again after each pause"
        );
    }

    #[tokio::test]
    async fn a_full_queue_refuses_with_a_hint() {
        let (queue, _, gate) = memory(0);
        let mut waiting: Vec<_> = Vec::new();
        let refused = loop {
            assert!(waiting.len() <= QUEUE + BATCH, "the queue is not bounded");
            let mut submit = Box::pin({
                let queue = queue.clone();
                async move { queue.submit(1).await }
            });
            match futures::poll!(&mut submit) {
                std::task::Poll::Pending => waiting.push(submit),
                std::task::Poll::Ready(answer) => break answer.unwrap_err(),
            }
        };
        assert_eq!(refused.reason(), Reason::Overloaded);
        assert!(refused.retry_delay().is_some());
        gate.add_permits(1000);
    }

    #[tokio::test]
    async fn a_caller_that_goes_away_cancels_nothing() {
        let (queue, batches, gate) = memory(0);
        let mut submit = Box::pin({
            let queue = queue.clone();
            async move { queue.submit(7).await }
        });
        assert!(futures::poll!(&mut submit).is_pending());
        drop(submit);
        gate.add_permits(10);
        queue.submit(8).await.unwrap();
        assert_eq!(batches.lock().concat(), [7, 8]);
    }
}
