//! What is done before and after every RPC, as a layer of `tower`.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use http::{Request, Response};
use tonic::body::Body;
use tower::{Layer, Service};

/// A service that answers RPCs. Implemented by all that can be one.
pub trait RpcService:
    Service<Request<Body>, Response = Response<Body>, Future: Send + 'static, Error: Send + 'static>
    + Clone
    + Send
    + 'static
{
}

impl<S> RpcService for S where
    S: Service<
            Request<Body>,
            Response = Response<Body>,
            Future: Send + 'static,
            Error: Send + 'static,
        > + Clone
        + Send
        + 'static
{
}

/// The answer to an RPC, when it is there.
pub type Answer<E> = Pin<Box<dyn Future<Output = Result<Response<Body>, E>> + Send>>;

/// What is done before and after an RPC.
pub trait Around: Clone {
    /// Answers `request`, as a rule by calling `service`. It is ready to be called once.
    fn call<S: RpcService>(&self, service: &mut S, request: Request<Body>) -> Answer<S::Error>;
}

/// The layer that does `what` around every RPC.
pub const fn around<A: Around>(what: A) -> AroundLayer<A> {
    AroundLayer(what)
}

/// See [`around`].
#[derive(Debug, Clone, Copy)]
pub struct AroundLayer<A>(A);

impl<A: Around, S> Layer<S> for AroundLayer<A> {
    type Service = AroundService<A, S>;

    fn layer(&self, inner: S) -> Self::Service {
        AroundService {
            around: self.0.clone(),
            inner,
        }
    }
}

/// See [`around`].
#[derive(Debug, Clone)]
pub struct AroundService<A, S> {
    around: A,
    inner: S,
}

impl<A: Around, S: RpcService> Service<Request<Body>> for AroundService<A, S> {
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Answer<S::Error>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        self.around.call(&mut self.inner, request)
    }
}
