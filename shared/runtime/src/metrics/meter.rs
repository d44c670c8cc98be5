//! Requests by status code, with their durations.

use std::{
    sync::{Arc, OnceLock},
    time::Instant,
};

use parking_lot::RwLock;

use super::{Counter, Counters, Gauge, Histogram, Histograms, Labels};

/// Metrics of all requests of one kind, e.g. REST.
#[derive(Debug)]
pub struct Meters {
    answers: Counters,
    durations: Histograms,
    under_way: Gauge,
    codes: Codes,
}

/// The status codes of a kind of request.
#[derive(Debug, Clone, Copy)]
pub struct Codes {
    /// The name of the label.
    pub label: &'static str,
    /// The label of a code.
    pub name: fn(u16) -> String,
    /// The code of a request whose caller went away before the response.
    pub abandoned: u16,
    /// The code of a request that panicked.
    pub panicked: u16,
}

impl Meters {
    /// Metrics whose names begin with `prefix`, e.g. `guildhall_http`; `what` is measured goes into
    /// their descriptions.
    #[must_use]
    pub fn new(prefix: &str, what: &str, codes: Codes) -> Self {
        Self {
            answers: super::counters(
                &format!("{prefix}_requests"),
                &format!("How many {what} came to an end, by their {}", codes.label),
            ),
            durations: super::durations(
                &format!("{prefix}_request_duration_seconds"),
                &format!("How long {what} took, streams to their end"),
            ),
            under_way: super::gauge(
                &format!("{prefix}_requests_in_flight"),
                &format!("How many {what} are under way, open streams included"),
            ),
            codes,
        }
    }

    /// The meter of requests with `labels`, to be kept. It is not shown before its first request.
    #[must_use]
    pub fn meter(&'static self, labels: Labels) -> Arc<Meter> {
        Arc::new(Meter {
            meters: self,
            labels,
            answers: RwLock::default(),
            duration: OnceLock::new(),
        })
    }
}

/// Metrics of one route or RPC.
#[derive(Debug)]
pub struct Meter {
    meters: &'static Meters,
    labels: Labels,
    /// There are few: a search is faster than a hash map.
    answers: RwLock<Vec<(u16, Counter)>>,
    duration: OnceLock<Histogram>,
}

impl Meter {
    /// Begins to measure a request.
    #[must_use]
    pub fn begin(self: &Arc<Self>) -> Measured {
        self.meters.under_way.inc();
        Measured {
            meter: Arc::clone(self),
            began: Instant::now(),
            code: None,
        }
    }

    fn count(&self, code: u16) {
        let answers = self.answers.read();
        if let Some((_, counter)) = answers.iter().find(|(known, _)| *known == code) {
            counter.inc();
            return;
        }
        drop(answers);
        let codes = self.meters.codes;
        let mut labels = self.labels.clone();
        labels.push((codes.label, (codes.name)(code)));
        let counter = self.meters.answers.get_or_create_owned(&labels);
        counter.inc();
        self.answers.write().push((code, counter));
    }

    fn duration(&self) -> &Histogram {
        let new = || self.meters.durations.get_or_create_owned(&self.labels);
        self.duration.get_or_init(new)
    }
}

/// A request under way; its end is counted when this is dropped.
#[derive(Debug)]
pub struct Measured {
    meter: Arc<Meter>,
    began: Instant,
    code: Option<u16>,
}

impl Measured {
    /// Sets the code of the response.
    pub fn answered(&mut self, code: u16) {
        self.code = Some(code);
    }
}

impl Drop for Measured {
    fn drop(&mut self) {
        let meter = &self.meter;
        let codes = meter.meters.codes;
        let unanswered = if std::thread::panicking() {
            codes.panicked
        } else {
            codes.abandoned
        };
        meter.count(self.code.unwrap_or(unanswered));
        meter.duration().observe(self.began.elapsed().as_secs_f64());
        meter.meters.under_way.dec();
    }
}

#[cfg(test)]
mod tests {
    use std::{panic, sync::LazyLock};

    use super::*;

    static METERS: LazyLock<Meters> = LazyLock::new(|| {
        let codes = Codes {
            label: "status",
            name: |code| code.to_string(),
            abandoned: 499,
            panicked: 500,
        };
        Meters::new("test", "requests of a test", codes)
    });

    #[test]
    fn every_end_is_counted_once() {
        let labels = vec![("route", "/".to_owned())];
        let meter = METERS.meter(labels.clone());
        let under_way = meter.begin();
        assert_eq!(METERS.under_way.get(), 1);
        drop(under_way);
        meter.begin().answered(200);
        meter.begin().answered(200);
        let failing = panic::AssertUnwindSafe(|| {
            let _measured = meter.begin();
            panic!("as a handler may");
        });
        assert!(panic::catch_unwind(failing).is_err());

        let counted = |status: &str| {
            let mut labels = labels.clone();
            labels.push(("status", status.to_owned()));
            METERS.answers.get_or_create(&labels).get()
        };
        let counts = ["200", "499", "500"].map(counted);
        assert_eq!(counts, [2, 1, 1]);
        assert_eq!(METERS.under_way.get(), 0);
    }
}
