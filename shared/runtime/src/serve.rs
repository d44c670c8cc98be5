//! Listeners, and a stop that loses nothing.

use std::{
    convert::Infallible,
    future::Future,
    io,
    net::SocketAddr,
    time::{Duration, Instant},
};

use http::{Request, Response};
use hyper::body::Incoming;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto, graceful::GracefulShutdown},
    service::TowerToHyperService,
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower::{Service, ServiceExt};

/// How long requests under way may still take after the signal to stop.
const DRAIN: Duration = Duration::from_secs(30);

/// How long a client may take to send a request's headers, and his first byte.
const HEADER_TIMEOUT: Duration = Duration::from_secs(15);

/// How often the log says that no connection can be accepted.
const WARN_EVERY: Duration = Duration::from_secs(10);

/// The address of the other end of a connection, among the extensions of each of its requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientSocket(pub SocketAddr);

/// The request to stop, shared by all parts of a process.
#[derive(Debug, Clone, Default)]
pub struct Shutdown(CancellationToken);

impl Shutdown {
    /// A token that SIGTERM and SIGINT set off.
    ///
    /// # Errors
    /// When the signal handlers cannot be installed.
    pub fn on_signal() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let shutdown = Self::default();
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let stop = shutdown.clone();
        tokio::spawn(async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            tracing::info!("stopping: requests under way are finished first");
            stop.start();
        });
        Ok(shutdown)
    }

    /// Asks all parts to stop.
    pub fn start(&self) {
        self.0.cancel();
    }

    /// Whether the process is stopping.
    #[must_use]
    pub fn is_started(&self) -> bool {
        self.0.is_cancelled()
    }

    /// Resolves when the process is to stop.
    pub fn started(&self) -> impl Future<Output = ()> + Send + 'static {
        self.0.clone().cancelled_owned()
    }
}

/// Binds an address; port 0 takes a free one.
///
/// # Errors
/// When the address is taken or not ours, with the address in the message.
pub async fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| {
        io::Error::new(error.kind(), format!("cannot listen on {address}: {error}"))
    })
}

/// Serves HTTP/1.1 and HTTP/2 on one port until `shutdown`, then drains.
pub async fn http<S, B>(listener: TcpListener, service: S, shutdown: Shutdown)
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible>
        + Clone
        + Send
        + 'static,
    S::Future: Send + 'static,
    B: http_body::Body<Data = bytes::Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(1024)
        .max_header_list_size(128 * 1024)
        .keep_alive_interval(Duration::from_secs(30));
    let connections = GracefulShutdown::new();
    let mut warned_at: Option<Instant> = None;
    loop {
        let (stream, address) = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Out of file handles: give the connections that are open a chance to end.
                    if warned_at.is_none_or(|at| at.elapsed() > WARN_EVERY) {
                        tracing::warn!(%error, "cannot accept connections");
                        warned_at = Some(Instant::now());
                    }
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            },
            () = shutdown.started() => break,
        };
        // Small answers must not wait for the next packet; a refusal costs latency only.
        let _ = stream.set_nodelay(true);
        let service = service
            .clone()
            .map_request(move |mut request: Request<Incoming>| {
                request.extensions_mut().insert(ClientSocket(address));
                request
            });
        let service = TowerToHyperService::new(service);
        let (builder, watcher) = (builder.clone(), connections.watcher());
        let stopping = shutdown.started();
        tokio::spawn(async move {
            // The first bytes tell the protocol, and nobody else sets a limit for them.
            let mut byte = [0; 1];
            tokio::select! {
                first = tokio::time::timeout(HEADER_TIMEOUT, stream.peek(&mut byte)) => {
                    if !matches!(first, Ok(Ok(1..))) {
                        return;
                    }
                }
                () = stopping => return,
            }
            let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
            if let Err(error) = watcher.watch(connection.into_owned()).await {
                tracing::debug!(error, "connection ended");
            }
        });
    }
    drop(listener);
    if tokio::time::timeout(DRAIN, connections.shutdown())
        .await
        .is_err()
    {
        tracing::warn!(
            seconds = DRAIN.as_secs(),
            "connections were still busy, closing them"
        );
    }
}
