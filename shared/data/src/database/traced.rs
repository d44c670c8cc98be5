//! Spans of what the database does for a sampled request.

use std::time::{Duration, SystemTime};

use guildhall_runtime::{step_span, trace};
use opentelemetry::{
    Context, KeyValue,
    trace::{Span as _, SpanKind, Status, Tracer},
};
use sea_orm::{DatabaseConnection, DbBackend};
use tracing::{Instrument, Span, field::Empty};

/// How much of a statement a span shows, in bytes: a search for hundreds of ids has as many
/// placeholders.
const MAX_TEXT: usize = 1024;

/// Makes a span of each statement that SeaORM runs for a sampled request, with its text and without
/// its values. `service` is whose database it is.
pub(super) fn watch(connections: &mut DatabaseConnection, service: &str) {
    // Without traces no statement needs to be timed.
    if trace::tracer().is_none() {
        return;
    }
    let (system, service) = (
        system(connections.get_database_backend()),
        service.to_owned(),
    );
    connections.set_metric_callback(move |info| {
        if trace::is_sampled() {
            let text = &info.statement.sql;
            record(text, info.elapsed, info.failed, system, &service);
        }
    });
}

/// SeaORM reports a statement after its end. A span of `tracing` always begins now, so this one is
/// made with OpenTelemetry.
fn record(text: &str, elapsed: Duration, failed: bool, system: &'static str, service: &str) {
    let Some(tracer) = trace::tracer() else {
        return;
    };
    let end = SystemTime::now();
    let (text, operation) = shown(text);
    let mut span = tracer
        .span_builder(format!("{operation} {service}"))
        .with_kind(SpanKind::Client)
        .with_start_time(end - elapsed)
        .with_attributes([
            KeyValue::new("db.system.name", system),
            KeyValue::new("db.namespace", service.to_owned()),
            KeyValue::new("db.operation.name", operation.to_owned()),
            KeyValue::new("db.query.text", text.to_owned()),
        ])
        .start_with_context(tracer, &Context::current());
    if failed {
        span.set_status(Status::error(""));
    }
    span.end_with_timestamp(end);
}

/// A step of a transaction, or a statement, that SeaORM does not report.
#[derive(Debug)]
pub(super) struct Step(Span);

impl Step {
    /// `BEGIN` or `COMMIT`.
    pub fn of(operation: &'static str, backend: DbBackend) -> Self {
        Self(step_span!(
            "transaction",
            otel.name = operation,
            otel.kind = "client",
            otel.status_code = Empty,
            db.system.name = system(backend),
            db.operation.name = operation,
        ))
    }

    /// A statement on a SQLite file.
    pub fn statement(text: &str, service: &str) -> Self {
        let (text, operation) = shown(text);
        Self(step_span!(
            "statement",
            otel.name = format!("{operation} {service}"),
            otel.kind = "client",
            otel.status_code = Empty,
            db.system.name = system(DbBackend::Sqlite),
            db.namespace = service,
            db.operation.name = operation,
            db.query.text = text,
        ))
    }

    pub async fn run<T, E>(&self, work: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        let done = work.instrument(self.0.clone()).await;
        done.inspect_err(|_| self.fail())
    }

    /// The same on the calling thread.
    pub fn run_here<T, E>(&self, work: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        let done = self.0.in_scope(work);
        done.inspect_err(|_| self.fail())
    }

    fn fail(&self) {
        self.0.record("otel.status_code", "error");
    }
}

/// The database's name in the semantic conventions.
fn system(backend: DbBackend) -> &'static str {
    // No third one is built in.
    if backend == DbBackend::Postgres {
        "postgresql"
    } else {
        "sqlite"
    }
}

/// A statement as spans show it, and its first word.
fn shown(text: &str) -> (&str, &str) {
    let text = text.trim();
    let operation = text.split_whitespace().next().unwrap_or_default();
    (&text[..text.floor_char_boundary(MAX_TEXT)], operation)
}
