//! Clients of other services, in this process or over the network: to callers both are the same.
//!
//! Over the network a [`Peer`] keeps several HTTP/2 connections to each replica of the service, and
//! bounds every call in time and in tries; see [`Remote`].

mod address;
mod attempt;
mod connection;
mod metrics;
mod network;
mod pool;
mod wire;

use std::{
    convert::Infallible,
    sync::Arc,
    task::{Context, Poll},
};

use http::{HeaderMap, Request, Response};
use tonic::body::Body;
use tower::{BoxError, Service, ServiceExt, util::BoxCloneSyncService};

pub use address::Address;
use network::Network;

use crate::{Result, tls::TlsFiles, trace};

/// Whether a call may be made again although it may have been processed, by the path of its method
/// and its headers.
pub type Repeatable = Arc<dyn Fn(&str, &HeaderMap) -> bool + Send + Sync>;

/// A service in other processes.
#[derive(Clone)]
pub struct Remote {
    /// Its replicas, or a name that stands for several of them.
    pub addresses: Vec<Address>,
    /// For the addresses that are `https`.
    pub tls: TlsFiles,
    /// Which calls may be repeated.
    pub repeatable: Repeatable,
}

/// A client of a service, in this process or over the network.
#[derive(Clone)]
pub struct Peer(BoxCloneSyncService<Request<Body>, Response<Body>, BoxError>);

impl Peer {
    /// A client of a service in this process: the same layers, no socket.
    pub fn in_process<S>(service: S) -> Self
    where
        S: Service<Request<Body>, Response = Response<Body>> + Clone + Send + Sync + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send + 'static,
    {
        Self(BoxCloneSyncService::new(service.map_err(Into::into)))
    }

    /// A peer over the network, which may be away for now: connections are made, and made again, in
    /// the background. To be called inside the runtime.
    ///
    /// * A call has its caller's deadline, at most 30 seconds, and keeps it on the wire; all that
    ///   happens to it shares that time.
    /// * What certainly was not processed is sent again, on another connection; what may have been
    ///   only when it is [`Remote::repeatable`], and as long as not too many calls fail.
    /// * A call that cannot be made is answered UNAVAILABLE with a retry hint, within 2 seconds when
    ///   no replica can be reached.
    /// * Requests are read whole, at most 1 MiB: a method whose requests are a stream cannot be
    ///   called. Answers may be streams.
    ///
    /// # Errors
    /// No address, or TLS files that cannot be used.
    pub fn remote(remote: Remote) -> Result<Self> {
        let network = Arc::new(Network::new(remote)?);
        let call = tower::service_fn(move |request| {
            let network = Arc::clone(&network);
            async move { Ok::<_, Infallible>(network.answer(request).await) }
        });
        Ok(Self::in_process(call))
    }
}

impl std::fmt::Debug for Peer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Peer")
    }
}

impl Service<Request<Body>> for Peer {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = <BoxCloneSyncService<Request<Body>, Response<Body>, BoxError> as Service<
        Request<Body>,
    >>::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        trace::inject(request.headers_mut());
        self.0.call(request)
    }
}
