//! Writes that arrive together go to disk together.
//!
//! What arrives while a commit is under way goes in the next. There is no timer: an idle system
//! commits a lone item at once. The queue is bounded, so load turns into refusals, not memory.
//!
//! A thread of its own commits: among the other tasks of a process, each step of a commit would wait
//! behind whatever is ready, and everybody waits for commits.

use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use guildhall_runtime::{
    Error, ErrorKind, Reason, Result, step_span,
    trace::{self, Origin},
};
use tokio::{
    runtime,
    sync::{mpsc, oneshot},
};
use tracing::{Instrument, Span};

use crate::{database::outcome_unknown, metrics::CommitMetrics};

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
const TIMEOUT: Duration = Duration::from_secs(2);

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

    /// Opens what is needed, on the thread that commits.
    async fn prepare(&self) -> Result<()>;

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
    metrics: CommitMetrics,
}

impl<B: Batch> Clone for GroupCommit<B> {
    fn clone(&self) -> Self {
        Self {
            queue: self.queue.clone(),
            metrics: self.metrics.clone(),
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
    /// Starts the thread that commits. It ends with the last clone of the queue.
    ///
    /// # Errors
    /// When the system has no thread to give, and what the batch says of its
    /// [`prepare`](Batch::prepare).
    pub async fn start(batch: B) -> Result<Self> {
        let (queue, queued) = mpsc::channel(QUEUE);
        let metrics = CommitMetrics::of(B::NAME);
        let committer = Committer {
            batch,
            metrics: metrics.clone(),
        };
        let (ready, started) = oneshot::channel();
        thread::Builder::new()
            .name(format!("commit-{}", B::NAME))
            .spawn(move || commit_on_this_thread(committer, queued, ready))
            .map_err(Error::internal)?;
        started.await.map_err(Error::internal)??;
        Ok(Self { queue, metrics })
    }

    /// Stores an item; it is on disk when this returns. Dropping the future cancels nothing.
    ///
    /// # Errors
    /// OVERLOADED when the queue is full, OUTCOME_UNKNOWN when nobody can say, and whatever the
    /// batch says of this item.
    pub async fn submit(&self, item: B::Item) -> Result<B::Answer> {
        let (answer, answered) = oneshot::channel();
        let waiting = step_span!("commit.wait");
        let pending = Pending {
            item,
            answer,
            arrived: Instant::now(),
            origin: Origin::here(&waiting),
        };
        // Before it is taken off again.
        self.metrics.waiting.inc();
        self.queue.try_send(pending).map_err(|_full| {
            self.metrics.waiting.dec();
            self.metrics.refusals.inc();
            Error::unavailable(Reason::Overloaded, "Too many writes are waiting, try again")
        })?;
        let answered = answered.instrument(waiting).await;
        answered.map_err(Error::internal)?
    }
}

/// What commits, and counts what becomes of it.
struct Committer<B> {
    batch: B,
    metrics: CommitMetrics,
}

fn commit_on_this_thread<B: Batch>(
    committer: Committer<B>,
    queued: mpsc::Receiver<Pending<B>>,
    ready: oneshot::Sender<Result<()>>,
) {
    let runtime = runtime::Builder::new_current_thread().enable_all().build();
    let runtime = match runtime.map_err(Error::internal) {
        Ok(runtime) => runtime,
        // Whoever no longer waits for the start needs no commits.
        Err(error) => return drop(ready.send(Err(error))),
    };
    runtime.block_on(async move {
        let prepared = committer.batch.prepare().await;
        let is_ready = prepared.is_ok();
        if ready.send(prepared).is_ok() && is_ready {
            run(Arc::new(committer), queued).await;
        }
    });
}

async fn run<B: Batch>(committer: Arc<Committer<B>>, mut queued: mpsc::Receiver<Pending<B>>) {
    let mut pending = Vec::with_capacity(BATCH);
    let metrics = &committer.metrics;
    while queued.recv_many(&mut pending, BATCH).await > 0 {
        let began = Instant::now();
        metrics.begin(pending.iter().map(|pending| began - pending.arrived));
        let (items, (answers, origins)): (Vec<_>, (Vec<_>, Vec<_>)) = pending
            .drain(..)
            .map(|pending| (pending.item, (pending.answer, pending.origin)))
            .unzip();
        // A panic in a batch must not end the queue for everybody.
        let stores = Arc::clone(&committer);
        let log = log_of(&origins);
        // Made in the span of the log, so that lines of the commit are in both.
        let span = log.in_scope(|| span_of(&origins));
        let stored = async move { stores.store(items, &origins).await };
        let stored = tokio::spawn(stored.instrument(span).instrument(log)).await;
        metrics.duration.observe(began.elapsed().as_secs_f64());
        match stored {
            Ok(results) => {
                for (answer, result) in answers.into_iter().zip(results) {
                    // Nobody waits any more: the write stands all the same.
                    let _ = answer.send(result);
                }
            }
            Err(panic) => {
                tracing::error!(%panic, "a commit panicked");
                metrics.panicked.inc();
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
        let size = i64::try_from(origins.len()).unwrap_or(i64::MAX);
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
        let give_up = Instant::now() + TIMEOUT;
        let mut pauses = PAUSES.into_iter();
        loop {
            let stored = self.batch.commit(items).await;
            self.metrics.judge(&stored);
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
                self.metrics.unresolved.inc();
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
mod tests;
