//! What caches and the bus count of themselves.

use std::sync::LazyLock;

use futures::FutureExt;
use guildhall_runtime::metrics::{self, Counter, Counters, Gauge, Gauges, Sampler};

use crate::{coverage::Coverage, signature::Rejection};

static LOOK_UPS: LazyLock<Counters> = LazyLock::new(|| {
    metrics::counters(
        "guildhall_cache_requests",
        "Questions to a cache: a hit was answered, a miss asked on",
    )
});
static ENTRIES: LazyLock<Gauges> =
    LazyLock::new(|| metrics::gauges("guildhall_cache_entries", "Entries of a cache"));
static COVERAGE: LazyLock<Gauges> = LazyLock::new(|| {
    metrics::gauges(
        "guildhall_bus_coverage",
        "How much is received of other processes' signals: 1 for the state that holds, 0 for the others",
    )
});
static CONNECTS: LazyLock<Counter> = LazyLock::new(|| {
    metrics::counter(
        "guildhall_bus_connects",
        "Connections made to the broker; all but the first are reconnects",
    )
});
static SENT: LazyLock<Counter> =
    LazyLock::new(|| metrics::counter("guildhall_bus_signals_sent", "Signals given to the broker"));
static RECEIVED: LazyLock<Counter> = LazyLock::new(|| {
    metrics::counter(
        "guildhall_bus_signals_received",
        "Signals of other processes",
    )
});
static REJECTED: LazyLock<Counters> = LazyLock::new(|| {
    metrics::counters(
        "guildhall_bus_rejected",
        "Batches of signals that were dropped because no process of the platform has sent them so",
    )
});
static MISSED: LazyLock<Counter> = LazyLock::new(|| {
    metrics::counter(
        "guildhall_bus_misses",
        "Times that signals may have been missed, and caches were emptied",
    )
});

/// The metrics of one cache.
#[derive(Debug)]
pub(crate) struct CacheMetrics {
    /// Questions that it answered.
    pub hits: Counter,
    /// Questions that it could not answer.
    pub misses: Counter,
    _entries: Sampler,
}

impl CacheMetrics {
    /// The metrics of the cache called `name`, whose entries `count` counts.
    pub fn of(name: &str, count: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        let cache = ("cache", name.to_owned());
        let of = |result: &str| {
            let labels = vec![cache.clone(), ("result", result.to_owned())];
            LOOK_UPS.get_or_create_owned(&labels)
        };
        let (hits, misses) = (of("hit"), of("miss"));
        let entries = ENTRIES.get_or_create_owned(&vec![cache]);
        let look = move || {
            entries.set(i64::try_from(count()).unwrap_or(i64::MAX));
            futures::future::ready(()).boxed()
        };
        Self {
            hits,
            misses,
            _entries: metrics::sampled(look),
        }
    }
}

/// The metrics of the bus.
#[derive(Debug, Clone)]
pub(crate) struct BusMetrics {
    /// Connections to the broker.
    pub connects: Counter,
    /// Signals given to the broker.
    pub sent: Counter,
    /// Signals of other processes.
    pub received: Counter,
    /// Times that caches were emptied.
    pub missed: Counter,
    rejected: [(Rejection, Counter); 3],
    states: [(Coverage, Gauge); 3],
}

impl BusMetrics {
    /// Those of this process.
    pub fn new() -> Self {
        let of = |coverage: Coverage| {
            let labels = vec![("state", name(coverage).to_owned())];
            (coverage, COVERAGE.get_or_create_owned(&labels))
        };
        let metrics = Self {
            connects: CONNECTS.clone(),
            sent: SENT.clone(),
            received: RECEIVED.clone(),
            missed: MISSED.clone(),
            rejected: Rejection::ALL.map(|rejection| {
                let labels = vec![("reason", rejection.as_str().to_owned())];
                (rejection, REJECTED.get_or_create_owned(&labels))
            }),
            states: [Coverage::Everywhere, Coverage::Partial, Coverage::Broken].map(of),
        };
        metrics.cover(Coverage::Broken);
        metrics
    }

    /// A batch was dropped.
    pub fn reject(&self, rejection: Rejection) {
        for (_, counter) in self.rejected.iter().filter(|(it, _)| *it == rejection) {
            counter.inc();
        }
    }

    /// The coverage from now on.
    pub fn cover(&self, coverage: Coverage) {
        for (state, gauge) in &self.states {
            gauge.set(i64::from(*state == coverage));
        }
    }
}

fn name(coverage: Coverage) -> &'static str {
    match coverage {
        Coverage::Process => "process",
        Coverage::Everywhere => "everywhere",
        Coverage::Partial => "partial",
        Coverage::Broken => "broken",
    }
}
