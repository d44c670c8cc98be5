//! Work that another task does, for one request or for several together.

use std::iter;

use opentelemetry::{
    Context,
    trace::{SpanContext, TraceContextExt},
};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// The request that work is done for.
#[derive(Debug, Clone)]
pub struct Origin {
    log: Span,
    sampled: Option<SpanContext>,
}

impl Origin {
    /// The current request. `waiting` is the [`step_span!`](crate::step_span) in which it waits
    /// for the work.
    #[must_use]
    pub fn here(waiting: &Span) -> Self {
        let waiting = waiting.context().span().span_context().clone();
        Self {
            log: Span::current(),
            sampled: waiting.is_sampled().then_some(waiting),
        }
    }

    /// The request whose [`traceparent`](super::traceparent) was kept; no request for an empty one.
    #[must_use]
    pub fn remote(traceparent: &str) -> Self {
        Self {
            log: Span::none(),
            sampled: super::hop::remote(traceparent),
        }
    }

    /// The span that the log lines of the request are in.
    #[must_use]
    pub fn log(&self) -> Span {
        self.log.clone()
    }

    /// The span of work that is done for all of `origins` together: a child of the first one that
    /// is sampled, and linked to all that are. `span` makes it, with the target
    /// [`TARGET`](super::TARGET), and is not called when none is sampled.
    pub fn join(origins: &[Self], span: impl FnOnce() -> Span) -> Span {
        let mut sampled = origins.iter().filter_map(|origin| origin.sampled.as_ref());
        let Some(first) = sampled.next() else {
            return Span::none();
        };
        let span = span();
        // Fails only for a span that has been entered, or that nobody exports.
        let _ = span.set_parent(Context::new().with_remote_span_context(first.clone()));
        for request in iter::once(first).chain(sampled) {
            span.add_link(request.clone());
        }
        span
    }
}
