//! Listeners, and a graceful shutdown.

mod connection;
mod linger;
mod shutdown;

use std::{
    convert::Infallible,
    future::poll_fn,
    io,
    net::SocketAddr,
    sync::{Arc, LazyLock},
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
use tower::Service;

use connection::Connections;
pub use shutdown::Shutdown;

use crate::metrics::{self, Gauges, Open};

/// How long requests under way may still take once no more connections are accepted.
const DRAIN: Duration = Duration::from_secs(30);

/// The log says at most this often that no connection can be accepted.
const WARN_EVERY: Duration = Duration::from_secs(10);

static CONNECTIONS: LazyLock<Gauges> = LazyLock::new(|| {
    metrics::gauges(
        "guildhall_connections_open",
        "Connections from outside by listener",
    )
});

/// The client's address, an extension of each request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientSocket(pub SocketAddr);

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
pub async fn http<S, B>(listener: TcpListener, service: S, serving: Serving, shutdown: Shutdown)
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible>
        + Clone
        + Send
        + 'static,
    S::Future: Send + 'static,
    B: http_body::Body<Data = bytes::Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let closing = CancellationToken::new();
    let connections = Connections::new(service, serving.tls, shutdown.clone(), closing.clone());
    let figure = CONNECTIONS.get_or_create_owned(&vec![("listener", serving.name.to_owned())]);
    let mut open = JoinSet::new();
    let mut warned_at: Option<Instant> = None;
    let mut drained = std::pin::pin!(drained(&shutdown, serving.drain_delay));
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, address)) => {
                    open.spawn(counted(Open::count(&figure), connections.serve(stream, address)));
                }
                Err(error) => {
                    // Out of file handles: give open connections a chance to end.
                    if warned_at.is_none_or(|at| at.elapsed() > WARN_EVERY) {
                        tracing::warn!(%error, "cannot accept connections");
                        warned_at = Some(Instant::now());
                    }
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            },
            Some(_ended) = open.join_next() => {}
            () = &mut drained => break,
        }
    }
    while let Some((stream, address)) = waiting(&listener).await {
        open.spawn(counted(
            Open::count(&figure),
            connections.serve(stream, address),
        ));
    }
    drop(listener);
    closing.cancel();
    let ended = async { while open.join_next().await.is_some() {} };
    if tokio::time::timeout(DRAIN, ended).await.is_err() {
        tracing::warn!(
            seconds = DRAIN.as_secs(),
            connections = open.len(),
            "connections were still busy, closing them"
        );
    }
}

async fn counted(_open: Open, connection: impl Future<Output = ()>) {
    connection.await;
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
