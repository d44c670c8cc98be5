//! What connections beyond the limits are there for: to ask whether the process is well.
//!
//! Without them a flood of connections would have a process restarted that has nothing wrong.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header::RETRY_AFTER};
use http_body_util::Full;

/// How long such a connection lives.
pub(super) const LIFE: Duration = Duration::from_secs(5);

/// Whether a request asks how the process is.
pub(super) fn is_probe<B>(request: &Request<B>) -> bool {
    matches!(
        request.uri().path(),
        "/healthz" | "/readyz" | "/grpc.health.v1.Health/Check"
    )
}

/// The answer to all else.
pub(super) fn refused() -> Response<Full<Bytes>> {
    let why = Bytes::from_static(b"Too many connections, try again\n");
    let mut response = Response::new(Full::new(why));
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    response
        .headers_mut()
        .insert(RETRY_AFTER, HeaderValue::from_static("1"));
    response
}
