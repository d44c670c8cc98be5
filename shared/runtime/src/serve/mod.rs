//! Listeners, what their clients may hold, and a graceful shutdown.
//!
//! * `places`: how many connections there may be; `probe`: what those beyond are there for
//! * `client`: where they come from; `connection`: one of them; `protocol`: what it speaks
//! * `socket`: what stands between hyper and the client: `frames` limits control frames of HTTP/2, `linger`
//!   closes so that our last bytes can be read
//! * `progress` and `stream`: answers end when nobody takes them
//! * `shutdown`: the request to stop

mod client;
mod connection;
mod frames;
mod linger;
mod metrics;
mod places;
mod probe;
mod progress;
mod protocol;
mod shutdown;
mod socket;
mod stream;

use std::{
    convert::Infallible,
    future::poll_fn,
    io,
    net::SocketAddr,
    sync::Arc,
    task::Poll,
    time::{Duration, Instant},
};

use http::{Request, Response};
use hyper::body::Incoming;
use rustls::ServerConfig;
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;
use tower::{BoxError, Service};

pub use client::{ClientSocket, network};
use connection::Connections;
pub use places::ConnectionLimits;
use places::Places;
pub use shutdown::Shutdown;

use crate::metrics::{Gauge, Open};

/// How long requests under way may still take once no more connections are accepted.
const DRAIN: Duration = Duration::from_secs(30);

/// The log says at most this often that connections cannot be accepted, or are too many.
const WARN_EVERY: Duration = Duration::from_secs(10);

/// How a listener serves.
#[derive(Debug, Clone, Default)]
pub struct Serving {
    /// What the metrics call the listener.
    pub name: &'static str,
    /// The TLS configuration, of [`crate::tls::TlsFiles::server`]; plain text without.
    pub tls: Option<Arc<ServerConfig>>,
    /// How long to go on accepting connections after the request to stop: load balancers need that
    /// time to notice.
    pub drain_delay: Duration,
    /// How many connections there may be.
    pub limits: ConnectionLimits,
    /// How long clients may take.
    pub patience: Patience,
}

/// How long clients may take.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// From the connection to the first bytes of HTTP, TLS included; and for the headers of a
    /// request of HTTP/1, with the pause before it.
    pub head: Duration,
    /// For taking nothing of an answer.
    pub stalled: Duration,
    /// Between two requests of HTTP/2.
    pub idle: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            head: Duration::from_secs(15),
            stalled: progress::STALLED,
            idle: Duration::from_secs(300),
        }
    }
}

/// A service that a listener can serve. Implemented by all that can be one.
pub trait Servable:
    Service<
        Request<Incoming>,
        Response = Response<Self::Body>,
        Error = Infallible,
        Future: Send + 'static,
    > + Clone
    + Send
    + Sync
    + 'static
{
    /// The body of its answers.
    type Body: http_body::Body<Data = bytes::Bytes, Error: Into<BoxError>> + Unpin + Send + 'static;
}

impl<S, B> Servable for S
where
    S: Service<
            Request<Incoming>,
            Response = Response<B>,
            Error = Infallible,
            Future: Send + 'static,
        > + Clone
        + Send
        + Sync
        + 'static,
    B: http_body::Body<Data = bytes::Bytes, Error: Into<BoxError>> + Unpin + Send + 'static,
{
    type Body = B;
}

/// Binds an address; port 0 means any free port.
///
/// # Errors
/// When the address is in use or not one of this host; the message contains it.
pub async fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| {
        io::Error::new(error.kind(), format!("cannot listen on {address}: {error}"))
    })
}

/// Serves HTTP/1.1 and HTTP/2 on one port until `shutdown`, then drains.
///
/// During [`Serving::drain_delay`] requests are served as before, but each HTTP/1.1 response closes
/// its connection. Then no more connections are accepted, idle ones are closed, and requests under
/// way have 30 seconds to finish.
pub async fn http<S: Servable>(
    listener: TcpListener,
    service: S,
    serving: Serving,
    shutdown: Shutdown,
) {
    metrics::prepare();
    let closing = CancellationToken::new();
    let mut open = Accepted {
        connections: Connections::new(
            service,
            serving.tls,
            serving.patience,
            shutdown.clone(),
            closing.clone(),
        ),
        places: Places::new(serving.limits),
        figure: metrics::OPEN.get_or_create_owned(&vec![("listener", serving.name.to_owned())]),
        tasks: JoinSet::new(),
        warned_at: None,
    };
    let mut drained = std::pin::pin!(drained(&shutdown, serving.drain_delay));
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, address)) => open.serve(stream, address),
                Err(error) => {
                    // Out of file handles: give open connections a chance to end.
                    if open.is_warning_due() {
                        tracing::warn!(%error, "cannot accept connections");
                    }
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            },
            Some(_ended) = open.tasks.join_next() => {}
            () = &mut drained => break,
        }
    }
    while let Some((stream, address)) = waiting(&listener).await {
        open.serve(stream, address);
    }
    drop(listener);
    closing.cancel();
    let ended = async { while open.tasks.join_next().await.is_some() {} };
    if tokio::time::timeout(DRAIN, ended).await.is_err() {
        tracing::warn!(
            seconds = DRAIN.as_secs(),
            connections = open.tasks.len(),
            "connections were still busy, closing them"
        );
    }
}

/// The connections of a listener.
struct Accepted<S> {
    connections: Connections<S>,
    places: Places,
    figure: Gauge,
    tasks: JoinSet<()>,
    warned_at: Option<Instant>,
}

impl<S: Servable> Accepted<S> {
    fn serve(&mut self, stream: TcpStream, address: SocketAddr) {
        let open = Open::count(&self.figure);
        let place = self.places.take(address.ip());
        let for_probes = place.is_none();
        let connection = self.connections.serve(stream, address, place);
        let task = self.tasks.spawn(async move {
            let _open = open;
            connection.await;
        });
        if for_probes {
            self.places.keep_for_probes(task);
            metrics::cut_off(metrics::Reason::TooMany);
            if self.is_warning_due() {
                tracing::warn!(client = %address.ip(), "too many connections: further ones are for probes alone");
            }
        }
    }

    /// Whether the last warning was long enough ago.
    fn is_warning_due(&mut self) -> bool {
        let is_due = self.warned_at.is_none_or(|at| at.elapsed() > WARN_EVERY);
        if is_due {
            self.warned_at = Some(Instant::now());
        }
        is_due
    }
}

/// Resolves when no more connections are to be accepted.
async fn drained(shutdown: &Shutdown, delay: Duration) {
    shutdown.started().await;
    tokio::select! {
        () = tokio::time::sleep(delay) => {}
        () = shutdown.hurried() => {}
    }
}

/// A connection in the listener's backlog. Its client believes it connected, and must be served.
async fn waiting(listener: &TcpListener) -> Option<(TcpStream, SocketAddr)> {
    poll_fn(|cx| match listener.poll_accept(cx) {
        Poll::Ready(accepted) => Poll::Ready(accepted.ok()),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}
