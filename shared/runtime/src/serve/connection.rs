//! One connection, from its first byte to its end.

use std::{
    convert::Infallible, future::Future, net::SocketAddr, pin::pin, sync::Arc, time::Duration,
};

use http::{HeaderValue, Request, Response, Version, header::CONNECTION};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use rustls::ServerConfig;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tower::{Service, ServiceExt};

use super::{ClientSocket, Shutdown, linger::Lingering};
use crate::gather::Gathering;

/// How long a client may take for his first byte, for the TLS handshake, and to send a request's
/// headers.
const HEADER_TIMEOUT: Duration = Duration::from_secs(15);

/// How long the first byte of a connection is still waited for when we are closing: who has just
/// connected is about to send.
const LATE: Duration = Duration::from_millis(250);

/// How a client begins who knows that we speak HTTP/2.
const HTTP2_BEGINS: [u8; 3] = *b"PRI";

/// What all connections of a listener share.
pub(super) struct Connections<S> {
    builder: auto::Builder<TokioExecutor>,
    service: S,
    tls: Option<TlsAcceptor>,
    shutdown: Arc<Shutdown>,
    closing: CancellationToken,
}

impl<S, B> Connections<S>
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible>
        + Clone
        + Send
        + 'static,
    S::Future: Send + 'static,
    B: http_body::Body<Data = bytes::Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    /// Connections that ask their clients to go elsewhere from `shutdown` on, and end as soon as
    /// they are idle from `closing` on.
    pub fn new(
        service: S,
        tls: Option<Arc<ServerConfig>>,
        shutdown: Shutdown,
        closing: CancellationToken,
    ) -> Self {
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
        Self {
            builder,
            service,
            tls: tls.map(TlsAcceptor::from),
            shutdown: Arc::new(shutdown),
            closing,
        }
    }

    /// Serves one connection to its end.
    pub fn serve(
        &self,
        stream: TcpStream,
        address: SocketAddr,
    ) -> impl Future<Output = ()> + Send + use<S, B> {
        let service = self.service.clone();
        let connection = Connection {
            builder: self.builder.clone(),
            shutdown: Arc::clone(&self.shutdown),
            closing: self.closing.clone(),
            address,
        };
        let tls = self.tls.clone();
        async move {
            // Small answers must not wait for the next packet; a refusal costs latency only.
            let _ = stream.set_nodelay(true);
            // The first bytes tell the protocol, and nobody else sets a limit for them.
            let Some(first) = connection.first_bytes(&stream).await else {
                return;
            };
            let Some(tls) = tls else {
                let shared = first == HTTP2_BEGINS;
                return connection.run(stream, shared, service).await;
            };
            match tokio::time::timeout(HEADER_TIMEOUT, tls.accept(stream)).await {
                Ok(Ok(stream)) => {
                    let shared = stream.get_ref().1.alpn_protocol() == Some(b"h2");
                    connection.run(stream, shared, service).await;
                }
                Ok(Err(error)) => {
                    tracing::info!(client = %address, %error, "TLS handshake failed");
                }
                Err(_elapsed) => {
                    tracing::info!(client = %address, "TLS handshake took too long");
                }
            }
        }
    }
}

/// What one connection needs to know.
struct Connection {
    builder: auto::Builder<TokioExecutor>,
    shutdown: Arc<Shutdown>,
    closing: CancellationToken,
    address: SocketAddr,
}

impl Connection {
    /// What the client sends first; nothing when that is nothing at all, or not in time.
    async fn first_bytes(&self, stream: &TcpStream) -> Option<[u8; HTTP2_BEGINS.len()]> {
        let too_late = async {
            self.closing.cancelled().await;
            tokio::time::sleep(LATE).await;
        };
        let mut bytes = [0; HTTP2_BEGINS.len()];
        tokio::select! {
            first = tokio::time::timeout(HEADER_TIMEOUT, stream.peek(&mut bytes)) => {
                matches!(first, Ok(Ok(1..))).then_some(bytes)
            }
            () = too_late => None,
        }
    }

    /// Serves a connection; of HTTP/2, whose calls share it, when it is `shared`.
    async fn run<I, S, B>(self, stream: I, shared: bool, service: S)
    where
        I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible>
            + Clone
            + Send
            + 'static,
        S::Future: Send + 'static,
        B: http_body::Body<Data = bytes::Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let Self {
            builder,
            shutdown,
            closing,
            address,
        } = self;
        let answer = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(ClientSocket(address));
            let reusable = request.version() >= Version::HTTP_2;
            let (service, shutdown) = (service.clone(), Arc::clone(&shutdown));
            async move {
                let mut response = service.oneshot(request).await?;
                // HTTP/2 has no such header: it says GOAWAY when the connection closes.
                if !reusable && shutdown.is_started() {
                    let close = HeaderValue::from_static("close");
                    response.headers_mut().insert(CONNECTION, close);
                }
                Ok::<_, Infallible>(response)
            }
        });
        let io = TokioIo::new(Gathering::new(Lingering::new(stream), shared));
        let mut connection = pin!(builder.serve_connection_with_upgrades(io, answer));
        let mut closing = pin!(closing.cancelled());
        let ended = tokio::select! {
            // In this order: a request that is already here is read before the connection closes.
            biased;
            ended = connection.as_mut() => ended,
            () = closing.as_mut() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            tracing::debug!(error, "connection ended");
        }
    }
}
