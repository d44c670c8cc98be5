//! The span of a request in one process.

use std::{collections::HashMap, sync::LazyLock};

use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::{
    Context, KeyValue,
    propagation::{Injector, TextMapPropagator},
    trace::{
        FutureExt, Link, Span as _, SpanContext, SpanKind, SpanRef, Status, TraceContextExt,
        TraceId, Tracer,
    },
};
use opentelemetry_http::HeaderExtractor;
use opentelemetry_sdk::propagation::TraceContextPropagator;

use super::{is_sampled, parent_decides, tracer, trusts_outside};
use crate::RequestId;

/// The W3C header that names a request's trace.
const HEADER: &str = "traceparent";

/// How calls between processes name the trace of a request that nobody samples, when the caller
/// decides: always the same one, which costs nothing to make, and an index on the wire.
const UNSAMPLED: &str = "00-00000000000000000000000000000001-0000000000000001-00";

/// The context of requests that nobody samples.
static NOT_SAMPLED: LazyLock<Context> = LazyLock::new(|| context_of(UNSAMPLED));

/// Who names the trace of a request in its headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caller {
    /// A process of this platform.
    Peer,
    /// Anybody else, who may write there what they like.
    Outside,
}

/// The span of a request in one process, which decides whether the request is sampled. Empty while
/// no traces are exported.
#[derive(Debug, Clone, Default)]
pub struct Hop(Option<Context>);

impl Hop {
    /// Begins it. For a trusted caller that names a trace, it is a child of the span there, and the
    /// caller decides whether it is sampled. For all others it begins a trace of its own that is
    /// linked to the caller's, and the sampler decides, whatever the caller wants: else anybody
    /// could have every request exported, or could add spans to the traces of others.
    ///
    /// `caller` is asked only while traces are exported.
    #[must_use]
    pub fn begin(name: &'static str, headers: &HeaderMap, caller: impl FnOnce() -> Caller) -> Self {
        let Some(tracer) = tracer() else {
            return Self(None);
        };
        let named = headers.get(HEADER);
        let is_trusted = trusts_outside() || caller() == Caller::Peer;
        if is_trusted && parent_decides() && named.is_some_and(|trace| trace == UNSAMPLED) {
            return Self(Some(NOT_SAMPLED.clone()));
        }
        let theirs = TraceContextPropagator::new()
            .extract_with_context(&Context::new(), &HeaderExtractor(headers));
        let mut span = tracer.span_builder(name).with_kind(SpanKind::Server);
        let parent = if is_trusted {
            theirs
        } else {
            let theirs = theirs.span().span_context().clone();
            if theirs.is_valid() {
                span = span.with_links(vec![Link::with_context(theirs)]);
            }
            Context::new()
        };
        let span = span.start_with_context(tracer, &parent);
        if parent_decides() && !span.is_recording() {
            return Self(Some(NOT_SAMPLED.clone()));
        }
        Self(Some(parent.with_span(span)))
    }

    /// Its span, when it is sampled.
    #[must_use]
    pub fn span(&self) -> Option<SpanRef<'_>> {
        let span = self.0.as_ref()?.span();
        span.is_recording().then_some(span)
    }

    /// The id of the trace, when it is sampled.
    #[must_use]
    pub fn trace_id(&self) -> Option<TraceId> {
        Some(self.span()?.span_context().trace_id())
    }

    /// Runs the request: spans that begin in it, and calls made from it, are children of the hop.
    pub async fn run<F: Future>(&self, request: F) -> F::Output {
        match &self.0 {
            Some(context) => request.with_context(context.clone()).await,
            None => request.await,
        }
    }

    /// Ends it with these attributes; `failed` is for failures of ours, not the caller's.
    pub fn end(
        &self,
        id: &RequestId,
        attributes: impl IntoIterator<Item = KeyValue>,
        failed: Option<String>,
    ) {
        let Some(span) = self.span() else { return };
        span.set_attribute(KeyValue::new("guildhall.request.id", id.to_string()));
        span.set_attributes(attributes);
        if let Some(failure) = failed {
            span.set_attribute(KeyValue::new("error.type", failure));
            span.set_status(Status::error(""));
        }
        span.end();
    }
}

/// The W3C trace context of the current request, to be stored with what it causes; empty when the
/// request is not sampled.
#[must_use]
pub fn traceparent() -> String {
    if !is_sampled() {
        return String::new();
    }
    let mut fields = HashMap::new();
    TraceContextPropagator::new().inject(&mut fields);
    fields.remove(HEADER).unwrap_or_default()
}

/// The span that a stored [`traceparent`] names, if it is sampled and traces are exported.
pub(super) fn remote(traceparent: &str) -> Option<SpanContext> {
    if tracer().is_none() || traceparent.is_empty() {
        return None;
    }
    let context = context_of(traceparent);
    let context = context.span().span_context().clone();
    context.is_sampled().then_some(context)
}

fn context_of(traceparent: &str) -> Context {
    let fields = HashMap::from([(HEADER.to_owned(), traceparent.to_owned())]);
    TraceContextPropagator::new().extract_with_context(&Context::new(), &fields)
}

/// Names the current trace in the headers of a call, unless they name one.
pub fn inject(headers: &mut HeaderMap) {
    if tracer().is_none() || headers.contains_key(HEADER) {
        return;
    }
    Context::map_current(|context| {
        if context.span().span_context() == NOT_SAMPLED.span().span_context() {
            headers.insert(HEADER, HeaderValue::from_static(UNSAMPLED));
        } else {
            TraceContextPropagator::new().inject_context(context, &mut Headers(headers));
        }
    });
}

/// The headers of a call. An empty `tracestate`, as nearly all are, would only take room there.
struct Headers<'a>(&'a mut HeaderMap);

impl Injector for Headers<'_> {
    fn set(&mut self, name: &str, value: String) {
        if value.is_empty() {
            return;
        }
        let name = HeaderName::from_bytes(name.as_bytes());
        if let (Ok(name), Ok(mut value)) = (name, HeaderValue::try_from(value)) {
            // Different in each call: HTTP/2 must not keep it in its header table.
            value.set_sensitive(true);
            self.0.insert(name, value);
        }
    }
}
