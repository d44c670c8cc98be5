//! What the outbox, the relay and the consumers count of themselves.

use std::sync::LazyLock;

use futures::FutureExt;
use guildhall_data::Database;
use guildhall_runtime::metrics::{
    self, Counter, Counters, Gauge, Gauges, Histogram, Histograms, Sampler,
};
use guildhall_signals::signature::Rejection;

use crate::consumer::parked;

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
static REJECTED: LazyLock<Counters> = LazyLock::new(|| {
    metrics::counters(
        "guildhall_events_rejected",
        "Messages in a stream that were dropped because no process of the platform has published them",
    )
});
static PARKED: LazyLock<Gauges> = LazyLock::new(|| {
    metrics::gauges(
        "guildhall_events_parked",
        "Events that wait for an operator, and those behind them; counted up to 1,000",
    )
});

/// What a relay counts.
#[derive(Debug)]
pub(crate) struct RelayMetrics {
    /// Events that were passed on.
    pub delivered: Counter,
    /// Times that they could not be.
    pub failures: Counter,
    /// Times that everything was passed on again.
    pub refills: Counter,
    /// How old the oldest event of a batch was when it was passed on.
    pub age: Histogram,
}

impl RelayMetrics {
    /// The metrics of what carries the events of `service` to `reader`.
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
pub(crate) struct ConsumerMetrics {
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

impl ConsumerMetrics {
    /// The metrics of the consumer called `name`, whose parked events lie in `database`.
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
pub(crate) struct StreamMetrics {
    /// Messages in it that have not reached the consumer.
    pub pending: Gauge,
    /// Messages in it that are no events.
    pub unreadable: Counter,
    unsigned: Counter,
    forged: Counter,
}

impl StreamMetrics {
    /// The metrics of the stream of `service` for `consumer`.
    pub fn of(consumer: &str, service: &str) -> Self {
        let labels = vec![
            ("consumer", consumer.to_owned()),
            ("service", service.to_owned()),
        ];
        let rejected = |rejection: Rejection| {
            let mut labels = labels.clone();
            labels.push(("reason", rejection.as_str().to_owned()));
            REJECTED.get_or_create_owned(&labels)
        };
        Self {
            pending: PENDING.get_or_create_owned(&labels),
            unreadable: UNREADABLE.get_or_create_owned(&labels),
            unsigned: rejected(Rejection::Unsigned),
            forged: rejected(Rejection::Forged),
        }
    }

    /// A message was dropped.
    pub fn reject(&self, rejection: Rejection) {
        match rejection {
            Rejection::Unsigned => &self.unsigned,
            // What comes again is for the inbox to say, and is no rejection here.
            Rejection::Forged | Rejection::Repeated => &self.forged,
        }
        .inc();
    }
}
