//! A span around every RPC, with the request id in it.

use std::{fmt, sync::Arc};

use http::{HeaderMap, Request, Response};
use opentelemetry::KeyValue;
use tonic::{Code, Status, body::Body};
use tracing::{Instrument, field::Empty};

use super::{Caller, Hop};
use crate::{
    RequestId,
    around::{Answer, Around, RpcService},
    request_id,
};

/// The span's name for a method that does not exist: a caller must not choose names of spans.
const OTHER: &str = "rpc";

/// Runs a call in a span of its own, and adds the request id to its answer. A call from inside the
/// process is in its caller's span as well.
#[derive(Clone)]
pub struct TraceLayer(IsPeer);

/// Whether a process of this platform has made the call with these headers.
type IsPeer = Arc<dyn Fn(&HeaderMap) -> bool + Send + Sync>;

impl fmt::Debug for TraceLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TraceLayer")
    }
}

impl TraceLayer {
    /// A layer that tells the calls of this platform's processes, which decide whether a call is
    /// sampled, by their headers.
    pub fn new(is_peer: impl Fn(&HeaderMap) -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(is_peer))
    }
}

impl Around for TraceLayer {
    fn call<S: RpcService>(&self, service: &mut S, request: Request<Body>) -> Answer<S::Error> {
        let id = RequestId::of(request.headers());
        let hop = Hop::begin(OTHER, request.headers(), || {
            match (self.0)(request.headers()) {
                true => Caller::Peer,
                false => Caller::Outside,
            }
        });
        // At the level of errors, so that it is there for every line that is logged at all.
        let span = tracing::error_span!(
            "rpc",
            rpc = request.uri().path(),
            request_id = %id,
            community = Empty,
            trace_id = hop.trace_id().map(display),
        );
        let method = hop.span().map(|_| request.uri().path().to_owned());
        let answer = span.in_scope(|| service.call(request));
        let call = async move {
            let mut response = hop.run(answer).await?;
            if let Some(method) = method {
                end(&hop, &method, &id, &response);
            }
            response
                .headers_mut()
                .insert(request_id::HEADER, id.to_header());
            Ok(response)
        };
        Box::pin(call.instrument(span))
    }
}

/// Ends a sampled call. For a stream that is at its response headers: the rest may take days.
fn end(hop: &Hop, method: &str, id: &RequestId, response: &Response<Body>) {
    let Some(span) = hop.span() else { return };
    let status = Status::from_header_map(response.headers());
    let code = status.as_ref().map_or(Code::Ok, Status::code);
    // Methods of ours that answer UNIMPLEMENTED add details, unlike a method that does not exist.
    let known = code != Code::Unimplemented || status.is_some_and(|it| !it.details().is_empty());
    let mut attributes = vec![
        KeyValue::new("rpc.system", "grpc"),
        KeyValue::new("rpc.grpc.status_code", i64::from(code as i32)),
    ];
    let name = method.trim_start_matches('/');
    if let (true, Some((service, method))) = (known, name.split_once('/')) {
        span.update_name(name.to_owned());
        attributes.push(KeyValue::new("rpc.service", service.to_owned()));
        attributes.push(KeyValue::new("rpc.method", method.to_owned()));
    }
    let failed = is_failure(code).then(|| format!("{code:?}"));
    hop.end(id, attributes, failed);
}

/// Whether a code means that we failed, and not the caller.
fn is_failure(code: Code) -> bool {
    match code {
        Code::Unknown
        | Code::DeadlineExceeded
        | Code::Unimplemented
        | Code::Internal
        | Code::Unavailable
        | Code::DataLoss => true,
        Code::Ok
        | Code::Cancelled
        | Code::InvalidArgument
        | Code::NotFound
        | Code::AlreadyExists
        | Code::PermissionDenied
        | Code::ResourceExhausted
        | Code::FailedPrecondition
        | Code::Aborted
        | Code::OutOfRange
        | Code::Unauthenticated => false,
    }
}
