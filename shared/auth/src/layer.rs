//! The guard in front of a gRPC service.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use guildhall_runtime::{Error, Reason, Result, trace};
use http::{Request, Response};
use http_body::Body as _;
use tonic::{Status, body::Body};
use tower::{Layer, Service};

use crate::{
    AccessRule, Credential, Guard, PeerTokens, RpcTable, peer::CLIENT_ADDRESS, rule::RpcRule,
    stream::guarded,
};

/// The address of the client as the first process that it reached saw it, for counting attempts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientAddress(pub String);

/// Lets a call through when its method's `access` option allows it, with the
/// [`Caller`](crate::Caller) in its extensions.
#[derive(Debug, Clone)]
pub struct AccessLayer {
    guard: Guard,
    rules: RpcTable,
    tokens: PeerTokens,
}

impl AccessLayer {
    /// A layer that checks against `rules`.
    #[must_use]
    pub fn new(guard: Guard, rules: RpcTable, tokens: PeerTokens) -> Self {
        Self {
            guard,
            rules,
            tokens,
        }
    }

    /// Lets the call in, and says with which credential and by which rule.
    async fn admit(
        &self,
        request: &mut Request<Body>,
        rule: &RpcRule,
    ) -> Result<Option<Credential>> {
        let vouched = self.tokens.vouches_for(request.headers());
        match *rule.access {
            AccessRule::Internal if vouched => return Ok(None),
            AccessRule::Internal => {
                return Err(Error::new(
                    Reason::InternalOnly,
                    "This method is for services of Guildhall alone",
                ));
            }
            AccessRule::Public | AccessRule::Credential { .. } => {}
        }
        let credential = Credential::from_metadata(request.headers())?;
        if vouched {
            // The gateway has counted the request already, and knows where it came from.
            let address = request
                .headers()
                .get(CLIENT_ADDRESS)
                .and_then(|value| value.to_str().ok());
            if let Some(address) = address.map(|address| ClientAddress(address.to_owned())) {
                request.extensions_mut().insert(address);
            }
        } else {
            self.guard.count(credential.as_ref())?;
        }
        if let Some(caller) = self.guard.admit(credential.as_ref(), &rule.access).await? {
            trace::record_community(caller.community);
            request.extensions_mut().insert(caller);
        }
        Ok(credential)
    }
}

impl<S> Layer<S> for AccessLayer {
    type Service = AccessService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        AccessService {
            inner,
            access: self.clone(),
        }
    }
}

/// See [`AccessLayer`].
#[derive(Debug, Clone)]
pub struct AccessService<S> {
    inner: S,
    access: AccessLayer,
}

impl<S> Service<Request<Body>> for AccessService<S>
where
    S: Service<Request<Body>, Response = Response<Body>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        // Unknown methods are answered UNIMPLEMENTED behind us; health and reflection are open.
        let Some(rule) = self.access.rules.get(request.uri().path()).cloned() else {
            return Box::pin(self.inner.call(request));
        };
        // The clone that was made ready must be the one that is called.
        let ready = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, ready);
        let access = self.access.clone();
        Box::pin(async move {
            let credential = match access.admit(&mut request, &rule).await {
                Ok(credential) => credential,
                Err(error) => return Ok(Status::from(error).into_http()),
            };
            let response = inner.call(request).await?;
            Ok(match credential {
                // An answer that is over already, such as an error, must stay one without a body.
                Some(credential) if rule.streaming && !response.body().is_end_stream() => {
                    response.map(|body| guarded(body, access.guard, credential, rule.access))
                }
                Some(_) | None => response,
            })
        })
    }
}
