//! The operator's port: where Prometheus reads the figures of a process.

use std::{convert::Infallible, net::SocketAddr};

use bytes::Bytes;
use guildhall_runtime::{
    Result, Shutdown, metrics,
    serve::{self, ConnectionLimits, Serving},
};
use http::{
    HeaderValue, Method, Request, Response, StatusCode,
    header::{ALLOW, CONTENT_TYPE},
};
use http_body_util::Full;
use hyper::body::Incoming;
use tokio::sync::Semaphore;

use crate::process::{listen, url_of};

/// Readings at a time: a client that asks too often waits, and costs the process nothing.
static READING: Semaphore = Semaphore::const_new(1);

/// Few ask, and the files that the process may open are for others.
const CONNECTIONS: ConnectionLimits = ConnectionLimits {
    total: 64,
    per_address: 64,
};

/// Serves `GET /metrics` of a process that calls itself `service` on an address of its own, until
/// it ends, also while it drains; where it is reached. Without an address nothing is served.
///
/// # Errors
/// When the address is taken or not ours.
pub async fn serve(address: Option<SocketAddr>, service: &'static str) -> Result<Option<String>> {
    let Some(address) = address else {
        return Ok(None);
    };
    metrics::introduce(service, env!("CARGO_PKG_VERSION"));
    let listener = listen(address).await?;
    let url = url_of(&listener, false)?;
    let serving = Serving {
        name: "metrics",
        limits: CONNECTIONS,
        ..Serving::default()
    };
    let service =
        tower::service_fn(|request| async move { Ok::<_, Infallible>(answer(&request).await) });
    tokio::spawn(serve::http(listener, service, serving, Shutdown::default()));
    Ok(Some(url))
}

async fn answer(request: &Request<Incoming>) -> Response<Full<Bytes>> {
    if request.uri().path() != "/metrics" {
        return refusal(StatusCode::NOT_FOUND, "Only /metrics is served here.\n");
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut refusal = refusal(StatusCode::METHOD_NOT_ALLOWED, "Only GET.\n");
        let allowed = HeaderValue::from_static("GET, HEAD");
        refusal.headers_mut().insert(ALLOW, allowed);
        return refusal;
    }
    // It is never closed.
    let _permit = READING.acquire().await;
    text(StatusCode::OK, metrics::MEDIA_TYPE, metrics::read().await)
}

fn refusal(status: StatusCode, why: &'static str) -> Response<Full<Bytes>> {
    text(status, "text/plain; charset=utf-8", why)
}

fn text(
    status: StatusCode,
    media_type: &'static str,
    body: impl Into<Bytes>,
) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    let media_type = HeaderValue::from_static(media_type);
    response.headers_mut().insert(CONTENT_TYPE, media_type);
    response
}
