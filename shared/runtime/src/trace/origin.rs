//! Work that is done elsewhere: in another task, for one request or for many together.

use opentelemetry::{KeyValue, trace::SpanContext};
use tracing::Span;

use super::ChildSpan;

/// The request that work is done for.
#[derive(Debug, Clone)]
pub struct Origin {
    log: Span,
    sampled: Option<SpanContext>,
}

impl Origin {
    /// The request that runs here, of which `waiting` is the span until the work is done.
    #[must_use]
    pub fn here(waiting: &ChildSpan) -> Self {
        Self {
            log: Span::current(),
            sampled: waiting.context(),
        }
    }

    /// The request whose [`traceparent`](super::traceparent) was kept; nothing for an empty one.
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

    /// The span of work done for all of `origins` together: in the trace of the first that is
    /// sampled, and linked to all that are. Nothing when none is.
    #[must_use]
    pub fn join(
        origins: &[Self],
        name: &'static str,
        attributes: impl IntoIterator<Item = KeyValue>,
    ) -> ChildSpan {
        let sampled = origins.iter().filter_map(|origin| origin.sampled.clone());
        ChildSpan::shared(name, attributes, sampled.collect())
    }
}
