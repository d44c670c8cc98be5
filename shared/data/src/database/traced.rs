//! Spans of what the database does for a sampled request.

use std::time::{Duration, Instant, SystemTime};

use guildhall_runtime::trace::{self, ChildSpan};
use opentelemetry::{
    Context, KeyValue,
    trace::{Span as _, SpanKind, Status, Tracer},
};
use sea_orm::{DatabaseConnection, DbBackend};

/// How much of a statement a span shows: a search for hundreds of ids has as many placeholders.
const MAX_TEXT: usize = 1024;

/// Makes a span of each statement that is run for a sampled request, with its text and without its
/// values. `service` is whose database it is.
pub(super) fn watch(connections: &mut DatabaseConnection, service: &str) {
    // Each statement would be timed for nobody.
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

/// A statement that SeaORM knows nothing of, and that is over.
pub(super) fn statement(text: &str, began: Instant, failed: bool, service: &str) {
    if trace::is_sampled() {
        record(
            text,
            began.elapsed(),
            failed,
            system(DbBackend::Sqlite),
            service,
        );
    }
}

/// A statement is told of when it is over: the span begins in the past.
fn record(text: &str, elapsed: Duration, failed: bool, system: &'static str, service: &str) {
    let Some(tracer) = trace::tracer() else {
        return;
    };
    let end = SystemTime::now();
    let text = text.trim();
    let operation = text.split_whitespace().next().unwrap_or_default();
    let mut span = tracer
        .span_builder(format!("{operation} {service}"))
        .with_kind(SpanKind::Client)
        .with_start_time(end - elapsed)
        .with_attributes([
            KeyValue::new("db.system.name", system),
            KeyValue::new("db.namespace", service.to_owned()),
            KeyValue::new("db.operation.name", operation.to_owned()),
            KeyValue::new("db.query.text", shortened(text).to_owned()),
        ])
        .start_with_context(tracer, &Context::current());
    if failed {
        span.set_status(Status::error(""));
    }
    span.end_with_timestamp(end);
}

/// A step of a transaction that is no statement of SeaORM's.
#[derive(Debug)]
pub(super) struct Step(ChildSpan);

impl Step {
    pub fn of(operation: &'static str, backend: DbBackend) -> Self {
        let attributes = [
            KeyValue::new("db.system.name", system(backend)),
            KeyValue::new("db.operation.name", operation),
        ];
        Self(ChildSpan::begin(operation, SpanKind::Client, attributes))
    }

    pub async fn run<T, E>(&self, work: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        let done = self.0.run(work).await;
        done.inspect_err(|_| self.0.fail())
    }

    /// The same on the calling thread.
    pub fn run_here<T, E>(&self, work: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        let done = self.0.run_here(work);
        done.inspect_err(|_| self.0.fail())
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

fn shortened(text: &str) -> &str {
    &text[..text.floor_char_boundary(MAX_TEXT)]
}
