//! What databases and group commits count of themselves.

use std::{
    sync::LazyLock,
    time::{Duration, Instant},
};

use futures::FutureExt;
use guildhall_runtime::metrics::{
    self, Counter, Counters, Gauge, Gauges, Histogram, Histograms, Sampler,
};
use sea_orm::DatabaseConnection;

use crate::{Backend, group_commit::Failure};

static QUEUE: LazyLock<Gauges> = LazyLock::new(|| {
    metrics::gauges(
        "guildhall_commit_queue_length",
        "Writes that wait for the next commit",
    )
});
static SIZE: LazyLock<Histograms> = LazyLock::new(|| {
    metrics::sizes(
        "guildhall_commit_batch_size",
        "Writes that went to the database together",
    )
});
static DURATION: LazyLock<Histograms> = LazyLock::new(|| {
    metrics::durations(
        "guildhall_commit_duration_seconds",
        "How long a batch took, repeats and look-ups included",
    )
});
static WAIT: LazyLock<Histograms> = LazyLock::new(|| {
    metrics::durations(
        "guildhall_commit_wait_seconds",
        "How long a write waited until its commit began",
    )
});
static REFUSALS: LazyLock<Counters> = LazyLock::new(|| {
    metrics::counters(
        "guildhall_commit_refusals",
        "Writes that were refused because too many waited",
    )
});
static TROUBLES: LazyLock<Counters> = LazyLock::new(|| {
    metrics::counters(
        "guildhall_commit_troubles",
        "Commits that failed: rolled_back stored nothing, unknown was looked up, unresolved stayed \
         unknown, panicked is our fault",
    )
});
static CONNECTIONS: LazyLock<Gauges> = LazyLock::new(|| {
    metrics::gauges(
        "guildhall_db_pool_connections",
        "Connections to the database by pool and state",
    )
});
static LIMIT: LazyLock<Gauges> = LazyLock::new(|| {
    metrics::gauges(
        "guildhall_db_pool_max_connections",
        "Connections that a pool may have",
    )
});
static BEGIN: LazyLock<Histograms> = LazyLock::new(|| {
    metrics::durations(
        "guildhall_db_begin_duration_seconds",
        "How long a transaction waited for a connection, the write lock and its beginning",
    )
});
static TIMEOUTS: LazyLock<Counter> = LazyLock::new(|| {
    metrics::counter(
        "guildhall_db_acquire_timeouts",
        "Waits for a connection, or for the lock to write to a file, that were given up",
    )
});

/// What one group commit counts.
#[derive(Debug, Clone)]
pub(crate) struct CommitMetrics {
    /// Writes that wait.
    pub waiting: Gauge,
    /// Writes in a batch.
    pub size: Histogram,
    /// How long a batch took.
    pub duration: Histogram,
    /// How long a write waited for its batch.
    pub wait: Histogram,
    /// Writes that found no room.
    pub refusals: Counter,
    /// Batches that stored nothing.
    pub rolled_back: Counter,
    /// Batches whose connection died at COMMIT …
    pub unknown: Counter,
    /// … and those of which nobody could find out.
    pub unresolved: Counter,
    /// Batches that panicked.
    pub panicked: Counter,
}

impl CommitMetrics {
    /// The metrics of the queue called `queue`.
    pub fn of(queue: &str) -> Self {
        let labels = vec![("queue", queue.to_owned())];
        let trouble = |kind: &str| {
            let mut labels = labels.clone();
            labels.push(("kind", kind.to_owned()));
            TROUBLES.get_or_create_owned(&labels)
        };
        Self {
            waiting: QUEUE.get_or_create_owned(&labels),
            size: SIZE.get_or_create_owned(&labels),
            duration: DURATION.get_or_create_owned(&labels),
            wait: WAIT.get_or_create_owned(&labels),
            refusals: REFUSALS.get_or_create_owned(&labels),
            rolled_back: trouble("rolled_back"),
            unknown: trouble("unknown"),
            unresolved: trouble("unresolved"),
            panicked: trouble("panicked"),
        }
    }

    /// A batch begins, after its writes have waited this long.
    pub fn begin(&self, waited: impl ExactSizeIterator<Item = Duration>) {
        let size = waited.len();
        self.waiting.dec_by(i64::try_from(size).unwrap_or(i64::MAX));
        self.size.observe(size as f64);
        for waited in waited {
            self.wait.observe(waited.as_secs_f64());
        }
    }

    /// A batch was tried.
    pub fn judge<T>(&self, tried: &Result<T, Failure>) {
        match tried {
            Ok(_) => {}
            Err(Failure::RolledBack(_)) => {
                self.rolled_back.inc();
            }
            Err(Failure::Unknown(_)) => {
                self.unknown.inc();
            }
        }
    }
}

/// What one pool counts.
#[derive(Debug, Clone)]
pub(crate) struct PoolMetrics {
    begin: Histogram,
    _sampler: Sampler,
}

impl PoolMetrics {
    /// The metrics of a pool of `database`.
    pub fn of(backend: Backend, database: &str, name: &str, pool: &DatabaseConnection) -> Self {
        let labels = vec![("database", database.to_owned()), ("pool", name.to_owned())];
        let state = |state: &str| {
            let mut labels = labels.clone();
            labels.push(("state", state.to_owned()));
            CONNECTIONS.get_or_create_owned(&labels)
        };
        let (idle, used) = (state("idle"), state("used"));
        let limit = LIMIT.get_or_create_owned(&labels);
        let pool = pool.clone();
        let look = move || {
            let (open, free, most) = counts(backend, &pool);
            idle.set(i64::from(free));
            used.set(i64::from(open.saturating_sub(free)));
            limit.set(i64::from(most));
            futures::future::ready(()).boxed()
        };
        // It is there from the start, also when nobody has to wait.
        LazyLock::force(&TIMEOUTS);
        Self {
            begin: BEGIN.get_or_create_owned(&labels),
            _sampler: metrics::sampled(look),
        }
    }

    /// A transaction was asked for at this moment and has begun.
    pub fn begun(&self, asked_at: Instant) {
        self.begin.observe(asked_at.elapsed().as_secs_f64());
    }
}

/// Nobody had a connection to spare in time.
pub(crate) fn count_timeout() {
    TIMEOUTS.inc();
}

/// Connections of a pool: open, idle, at most.
fn counts(backend: Backend, pool: &DatabaseConnection) -> (u32, u32, u32) {
    fn of<DB: sqlx::Database>(pool: &sqlx::Pool<DB>) -> (u32, u32, u32) {
        let idle = u32::try_from(pool.num_idle()).unwrap_or(u32::MAX);
        (pool.size(), idle, pool.options().get_max_connections())
    }
    match backend {
        Backend::Postgres => of(pool.get_postgres_connection_pool()),
        Backend::Sqlite => of(pool.get_sqlite_connection_pool()),
    }
}
