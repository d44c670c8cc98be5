//! The way of a request through the processes: OpenTelemetry spans, and what its log lines name.
//!
//! * [`hop`]: the part that a request has in a process, and how it travels on
//! * [`child_span`]: one step within it
//! * [`layer`]: a span around every RPC
//! * [`origin`]: work that is done elsewhere, for one request or for many together
//!
//! Spans of traces are made with OpenTelemetry itself, which samples before anything is paid for;
//! `tracing` spans are for the log alone. A layer that makes the ones of the others has each entry
//! of each span ask who wants it, sampled or not: that took more than traces may cost.

pub mod child_span;
pub mod hop;
pub mod layer;
pub mod origin;

use std::{fmt::Display, sync::OnceLock};

use opentelemetry::{
    Context, KeyValue,
    trace::{FutureExt, TraceContextExt},
};
use opentelemetry_sdk::trace::SdkTracer;
use tracing::{Span, field::display};

pub use child_span::ChildSpan;
pub use hop::{Hop, inject, traceparent};
pub use layer::TraceLayer;
pub use origin::Origin;

/// Set once at the start, when traces are exported.
static TRACER: OnceLock<SdkTracer> = OnceLock::new();

/// What makes spans, when traces are exported.
#[must_use]
pub fn tracer() -> Option<&'static SdkTracer> {
    TRACER.get()
}

/// From here on there are traces.
pub(crate) fn install(tracer: SdkTracer) {
    // Only the first start of a process counts; a second one is refused by the log.
    let _ = TRACER.set(tracer);
}

/// Whether what runs here belongs to a request that is sampled.
#[must_use]
pub fn is_sampled() -> bool {
    Context::map_current(|context| context.span().span_context().is_sampled())
}

/// Runs work in a span's context, where there is one.
async fn run_in<F: Future>(span: Option<&Context>, work: F) -> F::Output {
    match span {
        Some(span) => work.with_context(span.clone()).await,
        None => work.await,
    }
}

/// Names the community in the log lines of the request, and in its trace: as soon as it is known.
pub fn record_community(community: impl Display) {
    Span::current().record("community", display(&community));
    Context::map_current(|context| {
        let span = context.span();
        if span.is_recording() {
            span.set_attribute(KeyValue::new(
                "guildhall.community.id",
                community.to_string(),
            ));
        }
    });
}
