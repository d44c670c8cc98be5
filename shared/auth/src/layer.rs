//! The guard in front of a gRPC service.

use std::{future::ready, sync::Arc};

use guildhall_runtime::{
    Error, Reason, Result,
    around::{Answer, Around, RpcService},
    trace,
};
use http::Request;
use http_body::Body as _;
use tonic::{Status, body::Body};

use crate::{
    AccessRule, Credential, Guard, PeerTokens, RpcTable,
    peer::CLIENT_ADDRESS,
    rule::{HEALTH_CHECK, RpcRule},
    stream::guarded,
    streams::{OpenStream, StreamLimit},
};

/// Streams that one credential may have open in a process (contract: events, part 3).
const MAX_STREAMS: usize = 20;

/// The address of the client as the first process that it reached saw it, for counting attempts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientAddress(pub String);

/// Methods that are not ours and that everybody may call: health checks and reflection, which tell
/// what is public.
pub const OPEN: [&str; 4] = [
    HEALTH_CHECK,
    "/grpc.health.v1.Health/Watch",
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
];

/// Lets a call through when its method's `access` option allows it, with the
/// [`Caller`](crate::Caller) and the method's [`RpcRule`] in its extensions.
#[derive(Debug, Clone)]
pub struct AccessLayer {
    guard: Guard,
    rules: RpcTable,
    tokens: PeerTokens,
    streams: StreamLimit<[u8; 32]>,
}

impl AccessLayer {
    /// A layer that checks against `rules`.
    #[must_use]
    pub fn new(guard: Guard, rules: RpcTable, tokens: PeerTokens) -> Self {
        Self {
            guard,
            rules,
            tokens,
            streams: StreamLimit::new(MAX_STREAMS),
        }
    }

    /// Counts a stream of `credential`; a service opens one for many callers.
    fn open_stream(
        &self,
        credential: &Credential,
        request: &Request<Body>,
    ) -> Result<Option<OpenStream<[u8; 32]>>> {
        if self.tokens.is_service(request.headers()) {
            return Ok(None);
        }
        self.streams.open(credential.digest()).map(Some)
    }

    /// The tokens by which it knows services of this platform.
    #[must_use]
    pub fn tokens(&self) -> &PeerTokens {
        &self.tokens
    }

    /// Lets the call in, and says with which credential and by which rule.
    async fn admit(
        &self,
        request: &mut Request<Body>,
        rule: &RpcRule,
    ) -> Result<Option<Credential>> {
        let is_service = self.tokens.is_service(request.headers());
        match *rule.access {
            AccessRule::Internal if is_service => return Ok(None),
            AccessRule::Internal => {
                return Err(Error::new(
                    Reason::InternalOnly,
                    "This method is for services of Guildhall alone",
                ));
            }
            AccessRule::Public | AccessRule::Credential { .. } => {}
        }
        let credential = Credential::from_metadata(request.headers())?;
        if is_service {
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

impl Around for AccessLayer {
    fn call<S: RpcService>(&self, service: &mut S, mut request: Request<Body>) -> Answer<S::Error> {
        let path = request.uri().path();
        let Some(rule) = self.rules.get(path).cloned() else {
            return if OPEN.contains(&path) {
                Box::pin(service.call(request))
            } else {
                // As gRPC answers a method that nobody has, and without reading its body.
                let unknown = Status::unimplemented("There is no such method");
                Box::pin(ready(Ok(unknown.into_http())))
            };
        };
        // The clone that was made ready must be the one that is called.
        let next = service.clone();
        let mut service = std::mem::replace(service, next);
        let access = self.clone();
        Box::pin(async move {
            let admitted = access.admit(&mut request, &rule).await;
            let opened = admitted.and_then(|credential| match credential {
                Some(credential) if rule.streaming => {
                    let open = access.open_stream(&credential, &request)?;
                    Ok(Some((credential, open)))
                }
                Some(_) | None => Ok(None),
            });
            let opened = match opened {
                Ok(opened) => opened,
                Err(error) => return Ok(Status::from(error).into_http()),
            };
            request.extensions_mut().insert(Arc::clone(&rule));
            let response = service.call(request).await?;
            Ok(match opened {
                // An answer that is over already, such as an error, must stay one without a body.
                Some((credential, open)) if !response.body().is_end_stream() => {
                    let rule = Arc::clone(&rule.access);
                    response.map(|body| guarded(body, access.guard, credential, rule, open))
                }
                Some(_) | None => response,
            })
        })
    }
}
