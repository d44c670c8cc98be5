//! Metrics of calls to other services.

use std::sync::LazyLock;

use crate::metrics::{self, Counter, Counters, Gauge, Gauges, Histogram, Histograms};

use super::{address::Address, attempt::Failure};

static CONNECTIONS: LazyLock<Gauges> = LazyLock::new(|| {
    metrics::gauges(
        "guildhall_peer_connections",
        "Connections that are up, by the address that they lead to",
    )
});
static DURATION: LazyLock<Histograms> = LazyLock::new(|| {
    metrics::durations(
        "guildhall_peer_call_duration_seconds",
        "How long a try took until the head of its answer, by the address that it went to",
    )
});
static FAILURES: LazyLock<Counters> = LazyLock::new(|| {
    metrics::counters(
        "guildhall_peer_failures",
        "Tries that brought no answer: unsent and refused were not processed, lost and on_the_way \
         may have been, under_way waits for an earlier one",
    )
});
static RETRIES: LazyLock<Counter> = LazyLock::new(|| {
    metrics::counter(
        "guildhall_peer_retries",
        "Calls that were made again after a failure",
    )
});

/// Metrics of the connections to one address.
#[derive(Debug, Clone)]
pub(super) struct AddressMetrics {
    /// Connections that are up.
    pub open: Gauge,
    /// How long an attempt took.
    pub duration: Histogram,
}

impl AddressMetrics {
    /// The metrics of an address.
    pub fn of(address: &Address) -> Self {
        let labels = vec![("address", address.to_string())];
        Self {
            open: CONNECTIONS.get_or_create_owned(&labels),
            duration: DURATION.get_or_create_owned(&labels),
        }
    }
}

/// Metrics of failed calls.
#[derive(Debug)]
pub(super) struct FailureCounters {
    unsent: Counter,
    refused: Counter,
    lost: Counter,
    on_the_way: Counter,
    under_way: Counter,
    /// Calls that were repeated.
    pub retries: Counter,
}

impl FailureCounters {
    /// Registers them.
    pub fn new() -> Self {
        let of = |kind: &str| FAILURES.get_or_create_owned(&vec![("kind", kind.to_owned())]);
        Self {
            unsent: of("unsent"),
            refused: of("refused"),
            lost: of("lost"),
            on_the_way: of("on_the_way"),
            under_way: of("under_way"),
            retries: RETRIES.clone(),
        }
    }

    /// Counts a failed attempt.
    pub fn count(&self, failure: &Failure) {
        let counter = match failure {
            Failure::Unsent(_) => &self.unsent,
            Failure::Refused(_) => &self.refused,
            Failure::Lost(_) => &self.lost,
            Failure::Intermediary(_) => &self.on_the_way,
            Failure::UnderWay => &self.under_way,
        };
        counter.inc();
    }
}
