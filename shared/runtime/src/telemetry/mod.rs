//! Logs: human on a terminal, JSON otherwise. Traces: by OTLP, when the `OTEL_*` variables say so.

mod json;
mod otlp;

use std::{backtrace::Backtrace, io::IsTerminal};

use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use tracing::{Level, Metadata, Subscriber, field::display};
use tracing_subscriber::{
    EnvFilter, Layer, Registry,
    filter::{LevelFilter, filter_fn},
    fmt,
    layer::SubscriberExt,
    registry::LookupSpan,
    util::SubscriberInitExt,
};

use crate::trace;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Logs and traces of a process, to be ended with it.
#[derive(Debug)]
#[must_use]
pub struct Telemetry(Option<SdkTracerProvider>);

/// Starts logging to standard error, since standard output is for answers; and traces, when the
/// `OTEL_*` variables ask for them. To be called inside the runtime.
///
/// `filter` is of the form `info,guildhall_messaging=debug`. `trusts_outside` says whether callers
/// from outside decide whether their requests are sampled.
///
/// # Errors
/// When the filter or an `OTEL_*` variable cannot be read, or logging was started before.
pub fn start(filter: &str, trusts_outside: bool) -> Result<Telemetry, BoxError> {
    let named = EnvFilter::try_new(filter).map_err(|error| format!("--log {filter:?}: {error}"))?;
    let mut parts = filter.split(',').map(str::trim);
    let mut filter = if parts.any(|part| part.parse::<LevelFilter>().is_ok()) {
        named
    } else {
        // Where only targets are named, the spans with the id of the request must not be off.
        named.add_directive(LevelFilter::ERROR.into())
    };
    let provider = otlp::provider()?;
    let tracer = provider.as_ref().map(|it| it.tracer("guildhall"));
    if tracer.is_some() {
        // Whatever is logged, traces are exported.
        filter = filter.add_directive(format!("{}=info", trace::TARGET).parse()?);
    }
    // The filter of the log is one for all layers: a filter for each is asked at every entry of
    // every span. It is the outermost: around a layer with a filter of its own, any other layer
    // makes `tracing` ask all of them again at each line that is off.
    Registry::default()
        .with(tracer.clone().map(traces))
        .with(log())
        .with(filter_fn(is_free_of_contents))
        .with(filter)
        .try_init()?;
    if let Some(tracer) = tracer {
        trace::install(tracer, otlp::parent_decides(), trusts_outside);
    }
    // Not before there is a log to take them.
    log_panics();
    Ok(Telemetry(provider))
}

impl Telemetry {
    /// Exports the last traces, if the collector takes them within three seconds.
    pub async fn end(self) {
        if let Some(provider) = self.0 {
            otlp::flush(provider).await;
        }
    }
}

/// False for lines at level trace of the broker's client: they contain whole messages of users.
fn is_free_of_contents(line: &Metadata<'_>) -> bool {
    *line.level() < Level::TRACE || !line.target().starts_with("async_nats")
}

/// Writes panics to the log, with the id of their request.
fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let message = panic.payload_as_str().unwrap_or("a panic without a text");
        let location = panic.location().map(display);
        tracing::error!(location, backtrace = %Backtrace::capture(), "panicked: {message}");
    }));
}

fn log<S>() -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    let layer = fmt::layer().with_writer(std::io::stderr);
    if std::io::stderr().is_terminal() {
        layer.with_target(false).boxed()
    } else {
        let lines = layer.fmt_fields(json::Members).event_format(json::Lines);
        lines.boxed()
    }
}

/// Exports the `tracing` spans with the target [`trace::TARGET`]. Its filter looks at what is known
/// at compile time only, so that it is asked once for each place in the code.
fn traces<S>(tracer: SdkTracer) -> impl Layer<S>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    let ours = filter_fn(|it| it.is_span() && it.target() == trace::TARGET);
    tracing_opentelemetry::layer()
        .with_tracer(tracer)
        .with_location(false)
        .with_threads(false)
        .with_target(false)
        .with_tracked_inactivity(false)
        .with_filter(ours)
}
