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
static PARKED: LazyLock<Counters> = LazyLock::new(|| {
    metrics::counters(
        "guildhall_webhook_deliveries_parked",
        "Deliveries that cannot be sent, by what is stored so that it cannot be used",
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
    unsendable: Counter,
    parked_webhook: Counter,
    parked_delivery: Counter,
    duration: Histogram,
}

impl Default for Metrics {
    fn default() -> Self {
        let of = |result: &str| ATTEMPTS.get_or_create_owned(&vec![("result", result.to_owned())]);
        let parked =
            |reason: &str| PARKED.get_or_create_owned(&vec![("reason", reason.to_owned())]);
        Self {
            delivered: of("delivered"),
            gone: of("gone"),
            failed: of("failed"),
            unsendable: of("unsendable"),
            parked_webhook: parked("webhook"),
            parked_delivery: parked("delivery"),
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
            Verdict::Unsendable => {
                self.parked_delivery.inc();
                &self.unsendable
            }
        };
        counter.inc();
        self.duration.observe(duration.as_secs_f64());
    }

    /// So many deliveries were parked with their webhook.
    pub fn parked(&self, deliveries: u64) {
        self.parked_webhook.inc_by(deliveries);
    }

    /// For so many webhooks something is due.
    pub fn due(&self, webhooks: usize) {
        DUE.set(i64::try_from(webhooks).unwrap_or(i64::MAX));
    }
}
