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
use crate::coalesce::Coalescing;

/// How long a client may take for the first byte, for the TLS handshake, and to send the headers of
/// a request.
const HEADER_TIMEOUT: Duration = Duration::from_secs(15);

/// How long to wait for the first byte of a connection during shutdown: a client that has just
/// connected is about to send.
const LATE: Duration = Duration::from_millis(250);

/// The first bytes of HTTP/2 with prior knowledge.
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
    /// From `shutdown` on, connections ask their clients to connect elsewhere; from `closing` on,
    /// they end as soon as they are idle.
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
            // Small answers must not wait for the next packet. Failing that only costs latency.
            let _ = stream.set_nodelay(true);
            // hyper sets no limit for these bytes.
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

/// One connection.
struct Connection {
    builder: auto::Builder<TokioExecutor>,
    shutdown: Arc<Shutdown>,
    closing: CancellationToken,
    address: SocketAddr,
}

impl Connection {
    /// The first bytes of the client; `None` if it closes without any, or sends none in time.
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

    /// Serves a connection. It is `shared` by several requests at a time if it is HTTP/2.
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
                // HTTP/2 has no such header: a closing connection sends GOAWAY.
                if !reusable && shutdown.is_started() {
                    let close = HeaderValue::from_static("close");
                    response.headers_mut().insert(CONNECTION, close);
                }
                Ok::<_, Infallible>(response)
            }
        });
        let io = TokioIo::new(Coalescing::new(Lingering::new(stream), shared));
        let mut connection = pin!(builder.serve_connection_with_upgrades(io, answer));
        let mut closing = pin!(closing.cancelled());
        let ended = tokio::select! {
            // In this order, so that a request that has arrived is read before the close.
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
