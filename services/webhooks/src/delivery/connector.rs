//! Connections to receivers: only to where deliveries may go, and closed when the other side sends
//! far more than an answer needs.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    vec,
};

use futures::future::BoxFuture;
use guildhall_runtime::{Error, Result};
use http::Uri;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::connect::{Connected, Connection, HttpConnector, dns::Name},
    rt::TokioIo,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tower::Service;

use super::address::{NotPublic, Reach};

/// Bytes that a receiver may send after our last, its certificates included: an answer has a
/// kilobyte that is kept. Without this bound, a receiver that sends interim answers for ever is read for ever.
const MOST: usize = 128 * 1024;

/// Makes connections.
pub(super) type Connector = HttpsConnector<Dialer>;

/// Connections within `reach`, TLS as the system trusts it.
///
/// # Errors
/// When the system's certificates cannot be used.
pub(super) fn connector(reach: Reach) -> Result<Connector> {
    let mut http = HttpConnector::new_with_resolver(reach);
    http.enforce_http(false);
    http.set_nodelay(true);
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    let tls = HttpsConnectorBuilder::new()
        .with_provider_and_platform_verifier(Arc::new(provider))
        .map_err(Error::internal)?;
    // A receiver that stalls one exchange must not stall others of its connection.
    let connector = tls.https_or_http().enable_http1();
    Ok(connector.wrap_connector(Dialer(http)))
}

/// A name means those of its addresses that are within reach when a connection is made.
impl Service<Name> for Reach {
    type Response = vec::IntoIter<SocketAddr>;
    type Error = Box<dyn std::error::Error + Send + Sync>;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let reach = *self;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let within: Result<Vec<_>, NotPublic> = reach.filter(found.collect());
            Ok(within?.into_iter())
        })
    }
}

/// Connections over TCP.
#[derive(Debug, Clone)]
pub(super) struct Dialer(HttpConnector<Reach>);

impl Service<Uri> for Dialer {
    type Response = TokioIo<BoundedStream>;
    type Error = <HttpConnector<Reach> as Service<Uri>>::Error;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connecting = self.0.call(uri);
        Box::pin(async move {
            let stream = connecting.await?.into_inner();
            Ok(TokioIo::new(BoundedStream { stream, heard: 0 }))
        })
    }
}

/// A connection on which little is heard.
#[derive(Debug)]
pub(super) struct BoundedStream {
    stream: TcpStream,
    /// Bytes since we last sent some.
    heard: usize,
}

impl Connection for BoundedStream {
    fn connected(&self) -> Connected {
        self.stream.connected()
    }
}

impl AsyncRead for BoundedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        self.heard += buffer.filled().len() - before;
        if self.heard > MOST {
            return Poll::Ready(Err(io::Error::other("the answer is too long")));
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for BoundedStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.heard = 0;
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.heard = 0;
        Pin::new(&mut self.stream).poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
