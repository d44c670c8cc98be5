//! What caches, the bus and the outbox count of themselves.

use std::sync::LazyLock;

use futures::FutureExt;
use guildhall_data::Database;
use guildhall_runtime::metrics::{
    self, Counter, Counters, Gauge, Gauges, Histogram, Histograms, Sampler,
};

use crate::{consumer::parked, coverage::Coverage};

static LOOK_UPS: LazyLock<Counters> = LazyLock::new(|| {
    metrics::counters(
        "guildhall_cache_requests",
        "Questions to a cache: a hit was answered, a miss asked on",
    )
});
static ENTRIES: LazyLock<Gauges> =
    LazyLock::new(|| metrics::gauges("guildhall_cache_entries", "Entries that a cache remembers"));
static COVERAGE: LazyLock<Gauges> = LazyLock::new(|| {
    metrics::gauges(
        "guildhall_bus_coverage",
        "How much is heard of other processes: 1 for the state that holds, 0 for the others",
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
static MISSED: LazyLock<Counter> = LazyLock::new(|| {
    metrics::counter(
        "guildhall_bus_misses",
        "Times that signals may have been missed, and caches were emptied",
    )
});

static PUBLISHED: LazyLock<Counters> = LazyLock::new(|| {
    metrics::counters(
        "guildhall_events_published",
        "Events passed on from an outbox; after a crash some are passed on again",
    )
});
static PUBLISH_FAILURES: LazyLock<Counters> = LazyLock::new(|| {
    metrics::counters(
        "guildhall_events_publish_failures",
        "Times that events could not be passed on",
    )
});
static REFILLS: LazyLock<Counters> = LazyLock::new(|| {
    metrics::counters(
        "guildhall_events_refills",
        "Times that a stream had lost events and got everything of the retention again",
    )
});
static PUBLISH_AGE: LazyLock<Histograms> = LazyLock::new(|| {
    metrics::durations(
        "guildhall_events_publish_age_seconds",
        "How old the oldest event of a batch was when it was passed on",
    )
});
static CONSUMED: LazyLock<Counters> = LazyLock::new(|| {
    metrics::counters(
        "guildhall_events_consumed",
        "Events that reached a consumer: handled, passed over, come again, or parked",
    )
});
static PENDING: LazyLock<Gauges> = LazyLock::new(|| {
    metrics::gauges(
        "guildhall_events_pending",
        "Messages in a stream, each of one event or many, that have not reached a consumer",
    )
});
static UNREADABLE: LazyLock<Counters> = LazyLock::new(|| {
    metrics::counters(
        "guildhall_events_unreadable",
        "Messages in a stream that are no events: somebody else writes to it",
    )
});
static PARKED: LazyLock<Gauges> = LazyLock::new(|| {
    metrics::gauges(
        "guildhall_events_parked",
        "Events that wait for an operator, and those behind them; counted up to 1,000",
    )
});

/// What one cache counts.
#[derive(Debug)]
pub(crate) struct CacheFigures {
    /// Questions that it answered.
    pub hits: Counter,
    /// Questions that it could not answer.
    pub misses: Counter,
    _entries: Sampler,
}

impl CacheFigures {
    /// The figures of the cache called `name`, whose entries `count` counts.
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

/// What the bus counts.
#[derive(Debug, Clone)]
pub(crate) struct BusFigures {
    /// Connections to the broker.
    pub connects: Counter,
    /// Signals given to the broker.
    pub sent: Counter,
    /// Signals of other processes.
    pub received: Counter,
    /// Times that caches were emptied.
    pub missed: Counter,
    states: [(Coverage, Gauge); 3],
}

impl BusFigures {
    /// The figures of this process's part of the bus.
    pub fn new() -> Self {
        let of = |coverage: Coverage| {
            let labels = vec![("state", name(coverage).to_owned())];
            (coverage, COVERAGE.get_or_create_owned(&labels))
        };
        let figures = Self {
            connects: CONNECTS.clone(),
            sent: SENT.clone(),
            received: RECEIVED.clone(),
            missed: MISSED.clone(),
            states: [Coverage::Everywhere, Coverage::Partial, Coverage::Broken].map(of),
        };
        figures.cover(Coverage::Broken);
        figures
    }

    /// This much is heard from now on.
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

/// What a relay counts.
#[derive(Debug)]
pub(crate) struct RelayFigures {
    /// Events that were passed on.
    pub delivered: Counter,
    /// Times that they could not be.
    pub failures: Counter,
    /// Times that everything was passed on again.
    pub refills: Counter,
    /// How old the oldest event of a batch was when it was passed on.
    pub age: Histogram,
}

impl RelayFigures {
    /// The figures of what carries the events of `service` to `reader`.
    pub fn of(service: &str, reader: &str) -> Self {
        let labels = vec![
            ("service", service.to_owned()),
            ("reader", reader.to_owned()),
        ];
        Self {
            delivered: PUBLISHED.get_or_create_owned(&labels),
            failures: PUBLISH_FAILURES.get_or_create_owned(&labels),
            refills: REFILLS.get_or_create_owned(&labels),
            age: PUBLISH_AGE.get_or_create_owned(&labels),
        }
    }
}

/// What a consumer counts.
#[derive(Debug)]
pub(crate) struct ConsumerFigures {
    /// Events that led to something.
    pub handled: Counter,
    /// Events that led to nothing.
    pub passed: Counter,
    /// Events that had been handled before, or wait for one that is parked.
    pub repeated: Counter,
    /// Events that were parked.
    pub parked: Counter,
    _waiting: Sampler,
}

impl ConsumerFigures {
    /// The figures of the consumer called `name`, whose parked events lie in `database`.
    pub fn of(name: &'static str, database: &Database) -> Self {
        let consumer = ("consumer", name.to_owned());
        let of = |outcome: &str| {
            let labels = vec![consumer.clone(), ("outcome", outcome.to_owned())];
            CONSUMED.get_or_create_owned(&labels)
        };
        let waiting = PARKED.get_or_create_owned(&vec![consumer.clone()]);
        let database = database.clone();
        let look = move || {
            let (database, waiting) = (database.clone(), waiting.clone());
            async move {
                // While the database is away, the figure stays as it was.
                if let Ok(count) = parked::count(&database, name).await {
                    waiting.set(count);
                }
            }
            .boxed()
        };
        Self {
            handled: of("handled"),
            passed: of("passed"),
            repeated: of("repeated"),
            parked: of("parked"),
            _waiting: metrics::sampled(look),
        }
    }
}

/// What is counted of a stream that a consumer is fed from.
#[derive(Debug)]
pub(crate) struct StreamFigures {
    /// Messages in it that have not reached the consumer.
    pub pending: Gauge,
    /// Messages in it that are no events.
    pub unreadable: Counter,
}

impl StreamFigures {
    /// The figures of the stream of `service` for `consumer`.
    pub fn of(consumer: &str, service: &str) -> Self {
        let labels = vec![
            ("consumer", consumer.to_owned()),
            ("service", service.to_owned()),
        ];
        Self {
            pending: PENDING.get_or_create_owned(&labels),
            unreadable: UNREADABLE.get_or_create_owned(&labels),
        }
    }
}
