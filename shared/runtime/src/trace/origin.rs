//! Work that is done elsewhere: in another task, for one request or for many together.

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
    /// The request that runs here, in which `waiting` is the span until the work is done.
    #[must_use]
    pub fn here(waiting: &Span) -> Self {
        Self {
            log: Span::current(),
            sampled: waiting.in_scope(sampled),
        }
    }

    /// The span that the log lines of the request are in.
    #[must_use]
    pub fn log(&self) -> Span {
        self.log.clone()
    }

    /// The span of work that is done for all of `origins` together: a child of the first that is
    /// sampled, and linked to all that are. None when none is.
    pub fn join(origins: &[Self], span: impl FnOnce() -> Span) -> Span {
        let mut sampled = origins.iter().filter_map(|origin| origin.sampled.clone());
        let Some(first) = sampled.next() else {
            return Span::none();
        };
        let span = {
            let _parent = Context::new()
                .with_remote_span_context(first.clone())
                .attach();
            span()
        };
        for request in iter::once(first).chain(sampled) {
            span.add_link(request);
        }
        span
    }
}

fn sampled() -> Option<SpanContext> {
    Context::map_current(|context| {
        let request = context.span().span_context().clone();
        request.is_sampled().then_some(request)
    })
}
