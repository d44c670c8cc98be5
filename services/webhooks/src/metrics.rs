//! What deliveries count of themselves.

use std::{sync::LazyLock, time::Duration};

use guildhall_runtime::metrics::{self, Counter, Counters, Gauge, Histogram, Histograms, Open};

use crate::domain::retry::Verdict;

static ATTEMPTS: LazyLock<Counters> = LazyLock::new(|| {
    metrics::counters(
        "guildhall_webhook_attempts",
        "Attempts to deliver an event to a webhook, by what they came to",
    )
});
static DURATIONS: LazyLock<Histograms> = LazyLock::new(|| {
    metrics::durations(
        "guildhall_webhook_attempt_duration_seconds",
        "How long attempts took",
    )
});
static IN_FLIGHT: LazyLock<Gauge> =
    LazyLock::new(|| metrics::gauge("guildhall_webhook_attempts_in_flight", "Attempts under way"));
static DUE: LazyLock<Gauge> = LazyLock::new(|| {
    metrics::gauge(
        "guildhall_webhook_endpoints_due",
        "Webhooks for which something was due at the last look",
    )
});

/// The metrics of deliveries.
#[derive(Debug, Clone)]
pub(crate) struct Metrics {
    delivered: Counter,
    gone: Counter,
    failed: Counter,
    duration: Histogram,
}

impl Default for Metrics {
    fn default() -> Self {
        let of = |result: &str| ATTEMPTS.get_or_create_owned(&vec![("result", result.to_owned())]);
        Self {
            delivered: of("delivered"),
            gone: of("gone"),
            failed: of("failed"),
            duration: DURATIONS.get_or_create_owned(&Vec::new()),
        }
    }
}

impl Metrics {
    /// An attempt begins; it ends when this is dropped.
    pub fn begin(&self) -> Open {
        Open::count(&IN_FLIGHT)
    }

    /// An attempt came to this.
    pub fn ended(&self, verdict: Verdict, duration: Duration) {
        let counter = match verdict {
            Verdict::Delivered => &self.delivered,
            Verdict::Gone => &self.gone,
            Verdict::Failed(_) => &self.failed,
        };
        counter.inc();
        self.duration.observe(duration.as_secs_f64());
    }

    /// For so many webhooks something is due.
    pub fn due(&self, webhooks: usize) {
        DUE.set(i64::try_from(webhooks).unwrap_or(i64::MAX));
    }
}
