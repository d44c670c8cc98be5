//! Metrics of a process, for Prometheus.
//!
//! Each crate has a file `metrics.rs` with its metrics, made by the functions here. The values of a
//! label are few and known beforehand (routes, RPCs, codes), never an id, a community or the path of a
//! request. On a hot path, look a counter up once and keep it.
//!
//! * [`Meters`]: requests by status code, with their durations
//! * [`Open`]: a gauge of things that exist until they are dropped
//! * [`sampled`]: metrics that are computed when they are read
//! * `process`: what the operating system knows of this process

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

/// The labels of a metric.
pub type Labels = Vec<(&'static str, String)>;
/// Counters of one name.
pub type Counters = Family<Labels, Counter>;
/// Gauges of one name.
pub type Gauges = Family<Labels, Gauge>;
/// Histograms of one name.
pub type Histograms = Family<Labels, Histogram, fn() -> Histogram>;

/// The media type of what [`read`] gives.
pub const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// How long all that is [`sampled`] may take together; what is late keeps its last value.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Upper bounds of the buckets for durations of requests, commits and the like, in seconds.
const DURATIONS: [f64; 14] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];
/// Upper bounds of the buckets for sizes, up to the largest commit.
const SIZES: [f64; 10] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0];

type Look = dyn Fn() -> BoxFuture<'static, ()> + Send + Sync;

/// One for the process, as Prometheus scrapes processes.
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

/// Histograms of sizes, 1 to 512.
#[must_use]
pub fn sizes(name: &str, help: &str) -> Histograms {
    let histogram: fn() -> Histogram = || Histogram::new(SIZES);
    register(name, help, Family::new_with_constructor(histogram))
}

/// Shows the version of the build and which service this is.
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

/// Calls `look` before metrics are read, to bring its own up to date, until the result is dropped.
#[must_use]
pub fn sampled(look: impl Fn() -> BoxFuture<'static, ()> + Send + Sync + 'static) -> Sampler {
    let look: Arc<Look> = Arc::new(look);
    SAMPLERS.lock().push(Arc::downgrade(&look));
    Sampler { _look: look }
}

/// See [`sampled`].
#[derive(Clone)]
pub struct Sampler {
    /// Keeps the sampler alive: the list of all samplers is weak.
    _look: Arc<Look>,
}

impl fmt::Debug for Sampler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sampler")
    }
}

/// All metrics as they are now, in the OpenMetrics format.
pub async fn read() -> String {
    let looks: Vec<_> = {
        let mut samplers = SAMPLERS.lock();
        samplers.retain(|sampler| sampler.strong_count() > 0);
        samplers.iter().filter_map(Weak::upgrade).collect()
    };
    let looked = join_all(looks.iter().map(|look| look()));
    if tokio::time::timeout(TIMEOUT, looked).await.is_err() {
        tracing::debug!("some figures were not brought up to date in time");
    }
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = encode(&mut text, &REGISTRY.lock());
    text
}
