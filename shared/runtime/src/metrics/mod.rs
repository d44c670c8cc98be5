//! What a process counts of itself, for Prometheus.
//!
//! Each crate has a file `metrics.rs` with its figures, made by the functions here. A label's values
//! are known beforehand or few: routes, RPCs, codes, and never an id, a community or a path as it was
//! sent. Whoever counts on a hot path looks its counter up once and keeps it.
//!
//! * [`Meters`]: requests by their answers, with their durations
//! * [`Open`]: what is there until it is dropped
//! * [`sampled`]: what is only looked at when somebody reads
//! * `process`: what the system knows of this process

mod meter;
mod open;
mod process;

use std::{
    fmt,
    sync::{Arc, LazyLock, Weak},
    time::Duration,
};

use futures::future::{BoxFuture, join_all};
use parking_lot::Mutex;
use prometheus_client::{
    encoding::text::encode,
    metrics::{family::Family, info::Info},
    registry::{Metric, Registry},
};

pub use meter::{Codes, Measured, Meter, Meters};
pub use open::Open;
pub use prometheus_client::metrics::{counter::Counter, gauge::Gauge, histogram::Histogram};

/// What distinguishes one figure from others of its name.
pub type Labels = Vec<(&'static str, String)>;
/// Counters of one name.
pub type Counters = Family<Labels, Counter>;
/// Gauges of one name.
pub type Gauges = Family<Labels, Gauge>;
/// Histograms of one name.
pub type Histograms = Family<Labels, Histogram, fn() -> Histogram>;

/// The media type of what [`read`] gives.
pub const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// How long all that is [`sampled`] may take together: what is late keeps its last value.
const PATIENCE: Duration = Duration::from_secs(2);

/// Upper ends of what requests, commits and the like take, in seconds.
const DURATIONS: [f64; 14] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];
/// Upper ends of how many there are of something, up to what one commit carries.
const SIZES: [f64; 10] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0];

type Look = dyn Fn() -> BoxFuture<'static, ()> + Send + Sync;

/// One for the process, because it is the process that is watched.
static REGISTRY: LazyLock<Mutex<Registry>> = LazyLock::new(|| {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(process::Process));
    Mutex::new(registry)
});

static SAMPLERS: Mutex<Vec<Weak<Look>>> = Mutex::new(Vec::new());

/// Counters; `_total` is added to the name.
#[must_use]
pub fn counters(name: &str, help: &str) -> Counters {
    register(name, help, Family::default())
}

/// A counter without labels; `_total` is added to the name.
#[must_use]
pub fn counter(name: &str, help: &str) -> Counter {
    register(name, help, Counter::default())
}

/// Gauges.
#[must_use]
pub fn gauges(name: &str, help: &str) -> Gauges {
    register(name, help, Family::default())
}

/// A gauge without labels.
#[must_use]
pub fn gauge(name: &str, help: &str) -> Gauge {
    register(name, help, Gauge::default())
}

/// Histograms of seconds.
#[must_use]
pub fn durations(name: &str, help: &str) -> Histograms {
    let histogram: fn() -> Histogram = || Histogram::new(DURATIONS);
    register(name, help, Family::new_with_constructor(histogram))
}

/// Histograms of how many there are, 1 to 512.
#[must_use]
pub fn sizes(name: &str, help: &str) -> Histograms {
    let histogram: fn() -> Histogram = || Histogram::new(SIZES);
    register(name, help, Family::new_with_constructor(histogram))
}

/// Says once which build this is, and which part of the platform.
pub fn introduce(service: &'static str, version: &'static str) {
    let build = Info::new(vec![("service", service), ("version", version)]);
    register_owned("guildhall_build", "What this process runs", build);
}

fn register<M: Metric + Clone>(name: &str, help: &str, metric: M) -> M {
    register_owned(name, help, metric.clone());
    metric
}

fn register_owned(name: &str, help: &str, metric: impl Metric) {
    REGISTRY.lock().register(name, help, metric);
}

/// Has `look` bring its figures up to date whenever they are read, until the answer is dropped.
#[must_use]
pub fn sampled(look: impl Fn() -> BoxFuture<'static, ()> + Send + Sync + 'static) -> Sampler {
    let look: Arc<Look> = Arc::new(look);
    SAMPLERS.lock().push(Arc::downgrade(&look));
    Sampler { _look: look }
}

/// See [`sampled`].
#[derive(Clone)]
pub struct Sampler {
    /// Held, not used: the list of all samplers does not keep it.
    _look: Arc<Look>,
}

impl fmt::Debug for Sampler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sampler")
    }
}

/// All figures as they are now, in the format of OpenMetrics.
pub async fn read() -> String {
    let looks: Vec<_> = {
        let mut samplers = SAMPLERS.lock();
        samplers.retain(|sampler| sampler.strong_count() > 0);
        samplers.iter().filter_map(Weak::upgrade).collect()
    };
    let looked = join_all(looks.iter().map(|look| look()));
    if tokio::time::timeout(PATIENCE, looked).await.is_err() {
        tracing::debug!("some figures were not brought up to date in time");
    }
    let mut text = String::new();
    // Only a writer that fails could fail it, and a string does not.
    let _ = encode(&mut text, &REGISTRY.lock());
    text
}
