//! The gateway as one service: what surrounds every route.

use std::{
    convert::Infallible,
    net::SocketAddr,
    panic::AssertUnwindSafe,
    pin::Pin,
    task::{Context, Poll},
};

use axum::{Extension, Router, body::Body, response::Response};
use bytes::Bytes;
use futures::FutureExt;
use guildhall_auth::{Guard, bodies::RequestBodies};
use guildhall_runtime::{
    Error, Reason, RequestId, Shutdown, request_id,
    trace::{Caller, Hop},
};
use guildhall_server::Peers;
use http::{
    HeaderName, HeaderValue, Request,
    header::{ACCEPT_ENCODING, X_CONTENT_TYPE_OPTIONS},
};
use tower::{BoxError, Service, ServiceExt};
use tower_http::{
    CompressionLevel,
    compression::{
        Compression, Predicate,
        predicate::{NotForContentType, SizeAbove},
    },
};
use tracing::{Instrument, field::Empty};

use crate::{
    admission::Checks,
    body::Drained,
    browsers::{self, Origin},
    client_address::Cidr,
    docs,
    envelope::Family,
    failure::Failure,
    metrics, prefix,
    public_url::PublicUrl,
    router::router,
    surface, trace,
    upstream::Services,
};

/// How the gateway is set up.
#[derive(Debug, Clone, Default, clap::Args)]
#[group(skip)]
pub struct Settings {
    /// Networks (CIDR, separated by commas) of proxies whose X-Forwarded-For is believed.
    #[arg(
        long,
        env = "GUILDHALL_TRUSTED_PROXIES",
        value_delimiter = ',',
        value_name = "CIDR"
    )]
    pub trusted_proxies: Vec<Cidr>,

    /// Where clients reach the gateway, e.g. https://api.example.com; the addresses of incoming
    /// webhooks begin with it. Required when --http is reached from other machines; without it they
    /// begin with http:// and the address of --http.
    #[arg(long, env = "GUILDHALL_PUBLIC_URL", value_name = "URL")]
    pub public_url: Option<PublicUrl>,

    /// Origins (separated by commas) whose pages may call from a browser, e.g.
    /// https://app.example.com, or * for all; none without it.
    #[arg(
        long,
        env = "GUILDHALL_CORS_ORIGINS",
        value_delimiter = ',',
        value_name = "ORIGIN"
    )]
    pub cors_origins: Vec<Origin>,
}

impl Settings {
    /// Where clients reach a gateway that listens at `http`.
    ///
    /// # Errors
    /// When others than this machine reach it, and nobody has said under which address.
    pub fn public_url(&self, http: SocketAddr) -> guildhall_runtime::Result<PublicUrl> {
        PublicUrl::of(self.public_url.as_ref(), http)
    }
}

/// The gateway: answers every request, in the caller's envelope.
#[derive(Debug, Clone)]
pub struct Gateway {
    router: Router,
}

/// The gateway in front of `services`, letting in whom `guard` knows, which clients on this machine
/// reach at `http`. From the start of `shutdown` it no longer says that it is ready.
///
/// # Errors
/// Without the public address that it needs. A broken build: `services` lacks one of the catalogue,
/// or an endpoint does not keep to its row of the contract.
pub fn service(
    services: &Peers,
    guard: Guard,
    settings: Settings,
    http: SocketAddr,
    shutdown: Shutdown,
) -> guildhall_runtime::Result<Gateway> {
    let public_url = settings.public_url(http)?;
    let checks = Checks {
        guard,
        trusted_proxies: settings.trusted_proxies.into(),
        bodies: RequestBodies::default(),
    };
    let router = router(surface::endpoints()?, &checks)
        .with_state(Services::new(services, public_url, shutdown)?)
        .merge(docs::page())
        .fallback(no_route)
        .method_not_allowed_fallback(no_method);
    let router = match browsers::layer(&settings.cors_origins) {
        Some(layer) => router.layer(layer),
        None => router,
    };
    Ok(Gateway { router })
}

async fn no_route(Extension(family): Extension<Family>) -> Response {
    let failure = Error::new(Reason::RouteNotFound, "Route not found.").into();
    metrics::count_unrouted(family.refuse(&failure, &[]))
}

async fn no_method(Extension(family): Extension<Family>) -> Response {
    metrics::count_unrouted(family.refuse_method())
}

impl<B> Service<Request<B>> for Gateway
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let router = self.router.clone();
        let request = request.map(|body| Drained::wrap(Body::new(body)));
        Box::pin(answer(router, request).map(Ok))
    }
}

/// Answers below this size are not worth compressing, in bytes.
const WORTH_COMPRESSING: u16 = 1024;

/// The answer, compressed when the client takes it and it pays.
async fn compressed(router: Router, request: Request<Body>) -> Result<Response, Infallible> {
    if !request.headers().contains_key(ACCEPT_ENCODING) {
        return router.oneshot(request).await;
    }
    let pays = SizeAbove::new(WORTH_COMPRESSING).and(NotForContentType::SSE);
    let compression = Compression::new(router)
        .quality(CompressionLevel::Fastest)
        .compress_when(pays);
    let response = compression.oneshot(request).await?;
    Ok(response.map(Body::new))
}

async fn answer(router: Router, mut request: Request<Body>) -> Response {
    let id = RequestId::of(request.headers());
    let path = request.uri().path();
    let family = Family::of_path(path);
    let hop = Hop::begin(trace::UNROUTED, request.headers(), || Caller::Outside);
    let method = request.method().clone();
    // Not at info: where warnings alone are logged, they name their request, too.
    let span = tracing::error_span!(
        "request",
        %method,
        path = prefix::logged(path),
        request_id = %id,
        community = Empty,
        trace_id = hop.trace_id().map(display),
    );
    if let Some(uri) = prefix::rewrite(request.uri()) {
        *request.uri_mut() = uri;
    }
    request.extensions_mut().insert(id.clone());
    request.extensions_mut().insert(family);
    let routed = AssertUnwindSafe(compressed(router, request)).catch_unwind();
    let mut response = match hop.run(routed).instrument(span.clone()).await {
        Ok(Ok(response)) => response,
        Ok(Err(never)) => match never {},
        // The panic's own text is in the log; the caller learns nothing of it.
        Err(_panic) => {
            span.in_scope(|| family.refuse(&Failure::from(Error::bug("a handler panicked")), &[]))
        }
    };
    trace::end(&hop, &method, &id, &response);
    let headers = response.headers_mut();
    headers.insert(HeaderName::from_static(request_id::HEADER), id.to_header());
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
