//! The guard in front of a gRPC service.

use std::{future::ready, sync::Arc};

use guildhall_runtime::{
    Error, Reason, Result,
    around::{Answer, Around, RpcService},
    trace,
};
use http::{Request, Response};
use http_body::Body as _;
use tonic::{Status, body::Body};

use crate::{
    AccessRule, ClientAddress, Credential, CredentialDigest, Guard, PeerTokens, RpcTable,
    rule::{HEALTH_CHECK, RpcRule},
    stream::guarded,
    streams::StreamLimit,
};

/// Streams that one credential may have open in a process (contract: events, part 3).
const MAX_STREAMS: usize = 20;
/// Streams of [`OPEN`] that one address may have open in a process.
const MAX_OPEN_STREAMS: usize = 100;

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
    open_streams: StreamLimit<Option<ClientAddress>>,
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
            open_streams: StreamLimit::new(MAX_OPEN_STREAMS),
        }
    }

    /// The tokens by which it knows services of this platform.
    #[must_use]
    pub fn tokens(&self) -> &PeerTokens {
        &self.tokens
    }

    /// Lets the call in, and says whose it is.
    async fn admit(&self, request: &mut Request<Body>, rule: &RpcRule) -> Result<Admitted> {
        let is_service = self.tokens.is_service(request.headers());
        let mut admitted = Admitted {
            is_service,
            credential: None,
        };
        match *rule.access {
            AccessRule::Internal if is_service => return Ok(admitted),
            AccessRule::Internal => {
                return Err(Error::new(
                    Reason::InternalOnly,
                    "This method is for services of Guildhall alone",
                ));
            }
            AccessRule::Public | AccessRule::Credential { .. } => {}
        }
        let credential = Credential::from_metadata(request.headers())?;
        if let Some(address) = ClientAddress::of(request, is_service) {
            request.extensions_mut().insert(address);
        }
        // The gateway has counted its requests already.
        if !is_service {
            self.guard.count(credential.as_ref())?;
        }
        if let Some(caller) = self.guard.admit(credential.as_ref(), &rule.access).await? {
            trace::record_community(caller.community);
            request.extensions_mut().insert(caller);
        }
        if let Some(credential) = &credential {
            let digest = CredentialDigest(credential.digest());
            request.extensions_mut().insert(digest);
        }
        admitted.credential = credential;
        Ok(admitted)
    }

    /// Answers with a stream, which counts as one of its credential and ends with it.
    async fn stream<S: RpcService>(
        self,
        mut service: S,
        request: Request<Body>,
        credential: Credential,
        is_service: bool,
        rule: &RpcRule,
    ) -> Result<Response<Body>, S::Error> {
        // A service opens one stream for many callers.
        let open = (!is_service).then(|| self.streams.open(credential.digest()));
        let open = match open.transpose() {
            Ok(open) => open,
            Err(error) => return Ok(Status::from(error).into_http()),
        };
        let response = service.call(request).await?;
        Ok(response.map(|stream| {
            // An answer that is over already, such as an error, must stay one without a body.
            if stream.is_end_stream() {
                return stream;
            }
            let stream = guarded(stream, self.guard, credential, Arc::clone(&rule.access));
            match open {
                Some(open) => open.until_end_of(stream),
                None => stream,
            }
        }))
    }
}

/// Whose call was let in.
struct Admitted {
    /// Whether a service of this platform makes it, for itself or for somebody.
    is_service: bool,
    credential: Option<Credential>,
}

impl Around for AccessLayer {
    fn call<S: RpcService>(&self, service: &mut S, mut request: Request<Body>) -> Answer<S::Error> {
        let path = request.uri().path();
        let Some(rule) = self.rules.get(path).cloned() else {
            return if OPEN.contains(&path) {
                self.answer_open(service, request)
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
            let admitted = match access.admit(&mut request, &rule).await {
                Ok(admitted) => admitted,
                Err(error) => return Ok(Status::from(error).into_http()),
            };
            request.extensions_mut().insert(Arc::clone(&rule));
            match admitted.credential.filter(|_| rule.streaming) {
                Some(credential) => {
                    let is_service = admitted.is_service;
                    access
                        .stream(service, request, credential, is_service, &rule)
                        .await
                }
                None => service.call(request).await,
            }
        })
    }
}

impl AccessLayer {
    /// Answers one of [`OPEN`], of which all but health checks are streams.
    fn answer_open<S: RpcService>(
        &self,
        service: &mut S,
        request: Request<Body>,
    ) -> Answer<S::Error> {
        if request.uri().path() == HEALTH_CHECK {
            return Box::pin(service.call(request));
        }
        let address = ClientAddress::of(&request, self.tokens.is_service(request.headers()));
        let open = match self.open_streams.open(address) {
            Ok(open) => open,
            Err(error) => return Box::pin(ready(Ok(Status::from(error).into_http()))),
        };
        let answer = service.call(request);
        Box::pin(async move {
            let answer = answer.await?;
            Ok(answer.map(|stream| open.until_end_of(stream)))
        })
    }
}
