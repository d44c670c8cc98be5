//! The messages of calls over a socket are read whole before their handler runs, with a limit for
//! each RPC and one for all together.

use std::sync::Arc;

use guildhall_auth::{
    AccessRule, Caller,
    bodies::{RequestBodies, Sender},
    rule::RpcRule,
};
use guildhall_runtime::{
    around::{Answer, Around, RpcService},
    serve::ClientSocket,
};
use http::Request;
use http_body_util::Full;
use tonic::{Status, body::Body};

/// What stands before each message of gRPC, in bytes.
const PREFIX: usize = 5;

/// Reads the messages of calls over a socket. Stands behind the access layer: what nobody may send
/// is not read.
#[derive(Debug, Clone, Default)]
pub struct RequestBodyLayer(RequestBodies);

fn sender(request: &Request<Body>, rule: &RpcRule) -> Sender {
    if *rule.access == AccessRule::Internal {
        return Sender::Service;
    }
    let extensions = request.extensions();
    match (extensions.get::<Arc<Caller>>(), extensions.get()) {
        (Some(caller), Some(digest)) => Sender::Known(caller.community, *digest),
        (None, _) | (_, None) => Sender::Public(extensions.get().copied()),
    }
}

impl Around for RequestBodyLayer {
    fn call<S: RpcService>(&self, service: &mut S, request: Request<Body>) -> Answer<S::Error> {
        // A call inside the process has its message already; health and reflection bring their own limits.
        let over_a_socket = request.extensions().get::<ClientSocket>().is_some();
        let rule = request.extensions().get::<Arc<RpcRule>>();
        let Some(rule) = rule.filter(|_| over_a_socket) else {
            return Box::pin(service.call(request));
        };
        let (sender, limit) = (sender(&request, rule), rule.max_request + PREFIX);
        let bodies = self.0.clone();
        // The clone that was made ready must be the one that is called.
        let next = service.clone();
        let mut service = std::mem::replace(service, next);
        Box::pin(async move {
            let (head, body) = request.into_parts();
            match bodies.read(body, limit, sender).await {
                Ok(body) => {
                    let body = Body::new(Full::new(body));
                    service.call(Request::from_parts(head, body)).await
                }
                Err(error) => Ok(Status::from(error).into_http()),
            }
        })
    }
}
