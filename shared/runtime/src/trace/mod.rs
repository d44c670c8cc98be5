//! Traces: the spans of a request in all processes, exported over OTLP.
//!
//! * [`hop`]: the span of a request in one process, and how its trace travels to the next
//! * [`step_span!`](crate::step_span): the span of one step within it
//! * [`origin`]: work that another task does, for one request or for several together
//! * [`layer`]: a hop around every RPC
//!
//! Spans come from `tracing`: `tracing_opentelemetry` exports those with the target [`TARGET`], and
//! all others are for the log alone. Only two kinds of span are made with OpenTelemetry directly: a
//! hop, which decides whether the request is sampled before any other span exists, and a statement
//! that the database library reports after its end.

pub mod hop;
pub mod layer;
pub mod origin;

use std::{fmt::Display, sync::OnceLock};

use opentelemetry::{Context, KeyValue, trace::TraceContextExt};
use opentelemetry_sdk::trace::SdkTracer;
use tracing::{Span, field::display};

pub use hop::{Caller, Hop, inject, traceparent};
pub use layer::TraceLayer;
pub use origin::Origin;

/// The target of the `tracing` spans that are exported.
pub const TARGET: &str = "guildhall::trace";

/// Makes the `tracing` span of a step of the current request, from a name and fields as in
/// `tracing::info_span!`. It is [`Span::none`](tracing::Span::none), and no field is evaluated,
/// unless the request is sampled.
#[macro_export]
macro_rules! step_span {
    ($($name_and_fields:tt)+) => {
        if $crate::trace::is_sampled() {
            ::tracing::info_span!(target: $crate::trace::TARGET, $($name_and_fields)+)
        } else {
            ::tracing::Span::none()
        }
    };
}

/// How traces are made; set once at start, when they are exported.
static TRACES: OnceLock<Traces> = OnceLock::new();

struct Traces {
    tracer: SdkTracer,
    parent_decides: bool,
    trusts_outside: bool,
}

/// The tracer, when traces are exported.
#[must_use]
pub fn tracer() -> Option<&'static SdkTracer> {
    TRACES.get().map(|traces| &traces.tracer)
}

/// Whether a request that its caller does not sample is not sampled here either.
fn parent_decides() -> bool {
    TRACES.get().is_some_and(|traces| traces.parent_decides)
}

/// Whether callers from outside decide whether their requests are sampled.
fn trusts_outside() -> bool {
    TRACES.get().is_some_and(|traces| traces.trusts_outside)
}

/// From here on traces are exported. `parent_decides` is what the sampler does with a request that
/// its caller does not sample: nothing. `trusts_outside` says whether the decision of callers counts
/// that are no process of this platform.
pub(crate) fn install(tracer: SdkTracer, parent_decides: bool, trusts_outside: bool) {
    // Only the first start of a process counts; a second one is refused by the log.
    let _ = TRACES.set(Traces {
        tracer,
        parent_decides,
        trusts_outside,
    });
}

/// Whether the current request is sampled.
#[must_use]
pub fn is_sampled() -> bool {
    Context::map_current(|context| context.span().span_context().is_sampled())
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
