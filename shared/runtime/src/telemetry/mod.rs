//! Logs: human on a terminal, JSON otherwise. Traces: by OTLP, when the `OTEL_*` variables say so.

mod json;
mod otlp;

use std::{backtrace::Backtrace, io::IsTerminal};

use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::trace::SdkTracerProvider;
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

/// What is told of a process while it runs; to be ended with it.
#[derive(Debug)]
#[must_use]
pub struct Telemetry(Option<SdkTracerProvider>);

/// Starts logging to standard error, so that standard output stays for answers; and traces, when
/// the `OTEL_*` variables ask for them. To be called inside the runtime.
///
/// `filter` is of the form `info,guildhall_messaging=debug`.
///
/// # Errors
/// When the filter or an `OTEL_*` variable cannot be read, or logging was started before.
pub fn start(filter: &str) -> Result<Telemetry, BoxError> {
    let named = EnvFilter::try_new(filter).map_err(|error| format!("--log {filter:?}: {error}"))?;
    let mut parts = filter.split(',').map(str::trim);
    let filter = if parts.any(|part| part.parse::<LevelFilter>().is_ok()) {
        named
    } else {
        // Where targets alone are named, the spans that say whose lines they are must not be off.
        named.add_directive(LevelFilter::ERROR.into())
    };
    let provider = otlp::provider()?;
    let registry = Registry::default()
        .with(filter)
        .with(filter_fn(may_be_told));
    registry.with(log()).try_init()?;
    if let Some(provider) = &provider {
        trace::install(provider.tracer("guildhall"));
    }
    // Not before there is a log to take them.
    log_panics();
    Ok(Telemetry(provider))
}

impl Telemetry {
    /// Exports what was not yet, as far as the collector takes it in time.
    pub async fn end(self) {
        if let Some(provider) = self.0 {
            otlp::flush(provider).await;
        }
    }
}

/// The broker's client traces each message with all that is in it, which is what users wrote.
fn may_be_told(line: &Metadata<'_>) -> bool {
    *line.level() < Level::TRACE || !line.target().starts_with("async_nats")
}

/// A panic is a line of the log like any other, in the name of its request.
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
