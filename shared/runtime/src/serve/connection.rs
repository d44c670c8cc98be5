//! One connection, from its first byte to its end.

use std::{
    convert::Infallible, future::Future, net::SocketAddr, pin::pin, sync::Arc, time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, Version, header::CONNECTION};
use http_body_util::{Either, Full};
use hyper::{
    body::Incoming,
    server::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ServerConfig;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::{Instant, timeout_at},
};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tower::{BoxError, ServiceExt};

use super::{
    ClientSocket, Patience, Servable, Shutdown,
    metrics::{Reason, cut_off},
    places::Place,
    probe,
    protocol::{self, FirstBytes, Protocol},
    socket::Socket,
    stream::{Pieces, Streams},
};
use crate::coalesce::Coalescing;

/// How long to wait for the first byte of a connection during shutdown: a client that has just
/// connected is about to send.
const LATE: Duration = Duration::from_millis(250);

/// The most that the headers of a request may hold, in bytes.
const MAX_HEADERS: u32 = 32 * 1024;
/// What is buffered of headers that are being read: with HTTP/1 also of a body that nobody reads yet.
const READ_BUFFER: usize = 32 * 1024;
/// What is buffered of an answer that is being written, with HTTP/2.
const WRITE_BUFFER: usize = 64 * 1024;
/// Requests at a time on one connection of HTTP/2.
const MAX_STREAMS: u32 = 256;
/// What a client of HTTP/2 may send of a body before somebody reads it, and of all its bodies.
const STREAM_WINDOW: u32 = 128 * 1024;
const CONNECTION_WINDOW: u32 = 512 * 1024;

/// What all connections of a listener share.
pub(super) struct Connections<S> {
    service: S,
    tls: Option<TlsAcceptor>,
    patience: Patience,
    shutdown: Arc<Shutdown>,
    closing: CancellationToken,
}

impl<S: Servable> Connections<S> {
    /// From `shutdown` on, connections ask their clients to connect elsewhere; from `closing` on,
    /// they end as soon as they are idle.
    pub fn new(
        service: S,
        tls: Option<Arc<ServerConfig>>,
        patience: Patience,
        shutdown: Shutdown,
        closing: CancellationToken,
    ) -> Self {
        Self {
            service,
            tls: tls.map(TlsAcceptor::from),
            patience,
            shutdown: Arc::new(shutdown),
            closing,
        }
    }

    /// Serves one connection to its end; without a `place`, it is there for probes alone.
    pub fn serve(
        &self,
        stream: TcpStream,
        address: SocketAddr,
        place: Option<Place>,
    ) -> impl Future<Output = ()> + Send + use<S> {
        let service = self.service.clone();
        let connection = Connection {
            shutdown: Arc::clone(&self.shutdown),
            closing: self.closing.clone(),
            patience: self.patience,
            for_probes: place.is_none(),
            address,
        };
        let tls = self.tls.clone();
        async move {
            let _place = place;
            // Small answers must not wait for the next packet. Failing that only costs latency.
            let _ = stream.set_nodelay(true);
            let served = connection.serve(stream, tls, service);
            if connection.for_probes {
                let _ = tokio::time::timeout(probe::LIFE, served).await;
            } else {
                served.await;
            }
        }
    }
}

/// One connection.
struct Connection {
    shutdown: Arc<Shutdown>,
    closing: CancellationToken,
    patience: Patience,
    for_probes: bool,
    address: SocketAddr,
}

impl Connection {
    async fn serve<S: Servable>(&self, stream: TcpStream, tls: Option<TlsAcceptor>, service: S) {
        let in_time = Instant::now() + self.patience.head;
        if !self.is_used(&stream, in_time).await {
            return;
        }
        let Some(tls) = tls else {
            return self.detect(stream, in_time, service).await;
        };
        match timeout_at(in_time, tls.accept(stream)).await {
            Ok(Ok(stream)) => self.detect(stream, in_time, service).await,
            Ok(Err(error)) => {
                tracing::info!(client = %self.address, %error, "TLS handshake failed");
            }
            Err(_elapsed) => {
                tracing::info!(client = %self.address, "TLS handshake took too long");
            }
        }
    }

    /// Whether the client sends anything in time.
    async fn is_used(&self, stream: &TcpStream, in_time: Instant) -> bool {
        let too_late = async {
            self.closing.cancelled().await;
            tokio::time::sleep(LATE).await;
        };
        let mut byte = [0];
        tokio::select! {
            first = timeout_at(in_time, stream.peek(&mut byte)) => matches!(first, Ok(Ok(1..))),
            () = too_late => false,
        }
    }

    /// Serves what the client speaks, once it has shown that.
    async fn detect<I, S>(&self, mut stream: I, in_time: Instant, service: S)
    where
        I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        S: Servable,
    {
        let ended = match timeout_at(in_time, protocol::detect(&mut stream)).await {
            Ok(Ok(Some((protocol, first)))) => {
                let io = self.io(stream, first, protocol);
                match protocol {
                    Protocol::Http1 => self.http1(io, service).await,
                    Protocol::Http2 => self.http2(io, service).await,
                }
            }
            Ok(Ok(None)) => Ok(()),
            Ok(Err(error)) => Err(error.into()),
            Err(_elapsed) => {
                cut_off(Reason::Silent);
                Ok(())
            }
        };
        if let Err(error) = ended {
            tracing::debug!(error, "connection ended");
        }
    }

    async fn http1<I, S>(&self, io: Io<I>, service: S) -> Result<(), BoxError>
    where
        I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        S: Servable,
    {
        let mut builder = http1::Builder::new();
        builder
            .timer(TokioTimer::new())
            .header_read_timeout(self.patience.head)
            .max_buf_size(READ_BUFFER);
        let requests = self.requests(service);
        let answer = service_fn(move |request| Arc::clone(&requests).answer(request));
        let mut connection = pin!(builder.serve_connection(io, answer));
        tokio::select! {
            // In this order, so that a request that has arrived is read before the close.
            biased;
            ended = connection.as_mut() => return ended.map_err(Into::into),
            () = self.closing.cancelled() => connection.as_mut().graceful_shutdown(),
        }
        connection.await.map_err(Into::into)
    }

    async fn http2<I, S>(&self, io: Io<I>, service: S) -> Result<(), BoxError>
    where
        I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        S: Servable,
    {
        let streams = Streams::new(self.patience.stalled);
        let mut builder = http2::Builder::new(streams.clone());
        builder
            .timer(TokioTimer::new())
            .max_concurrent_streams(MAX_STREAMS)
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_send_buf_size(WRITE_BUFFER)
            .max_header_list_size(MAX_HEADERS)
            .keep_alive_interval(Duration::from_secs(30));
        let requests = self.requests(service);
        let answer = service_fn(move |request| Arc::clone(&requests).answer(request));
        let mut connection = pin!(builder.serve_connection(io, answer));
        tokio::select! {
            biased;
            ended = connection.as_mut() => return ended.map_err(Into::into),
            () = self.closing.cancelled() => {}
            () = streams.idle(self.patience.idle) => {}
        }
        connection.as_mut().graceful_shutdown();
        connection.await.map_err(Into::into)
    }

    fn requests<S>(&self, service: S) -> Arc<Requests<S>> {
        Arc::new(Requests {
            service,
            shutdown: Arc::clone(&self.shutdown),
            address: self.address,
            for_probes: self.for_probes,
        })
    }

    /// What stands between hyper and the client.
    fn io<I>(&self, stream: I, first: FirstBytes, protocol: Protocol) -> Io<I> {
        let socket = Socket::new(stream, first, protocol, self.patience.stalled);
        TokioIo::new(Coalescing::new(socket, protocol == Protocol::Http2))
    }
}

type Io<I> = TokioIo<Coalescing<Socket<I>>>;
type AnswerBody<B> = Either<Pieces<B>, Full<Bytes>>;

/// What a connection adds to each answer.
struct Requests<S> {
    service: S,
    shutdown: Arc<Shutdown>,
    address: SocketAddr,
    for_probes: bool,
}

impl<S: Servable> Requests<S> {
    async fn answer(
        self: Arc<Self>,
        mut request: Request<Incoming>,
    ) -> Result<Response<AnswerBody<S::Body>>, Infallible> {
        request.extensions_mut().insert(ClientSocket(self.address));
        let reusable = request.version() >= Version::HTTP_2;
        let mut response = if self.for_probes && !probe::is_probe(&request) {
            probe::refused().map(Either::Right)
        } else {
            let answer = self.service.clone().oneshot(request).await?;
            answer.map(|body| Either::Left(Pieces::new(body)))
        };
        // HTTP/2 has no such header: a closing connection sends GOAWAY.
        if !reusable && (self.for_probes || self.shutdown.is_started()) {
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(CONNECTION, close);
        }
        Ok(response)
    }
}
