//! The messages of calls over a socket are read whole before their handler runs, with a limit for
//! each RPC and one for all together.

use std::sync::Arc;

use guildhall_auth::{Caller, ClientAddress, rule::RpcRule};
use guildhall_runtime::{
    around::{Answer, Around, RpcService},
    body::BodyBudget,
    serve::ClientSocket,
};
use guildhall_types::CommunityId;
use http::Request;
use http_body_util::Full;
use tonic::{Status, body::Body};

/// The memory for messages of callers that were let in, and the share of one community, in bytes.
const KNOWN: (usize, usize) = (32 * 1024 * 1024, 8 * 1024 * 1024);
/// The memory for messages of all others, and the share of one address, in bytes.
const PUBLIC: (usize, usize) = (8 * 1024 * 1024, 2 * 1024 * 1024);
/// What stands before each message of gRPC, in bytes.
const PREFIX: usize = 5;

/// Reads the messages of calls over a socket. Stands behind the access layer: what nobody may send
/// is not read.
#[derive(Debug, Clone)]
pub struct RequestBodyLayer {
    known: Arc<BodyBudget>,
    public: Arc<BodyBudget>,
}

impl Default for RequestBodyLayer {
    fn default() -> Self {
        let budget = |(total, share)| Arc::new(BodyBudget::new(total, share));
        Self {
            known: budget(KNOWN),
            public: budget(PUBLIC),
        }
    }
}

/// Whose message is read.
#[derive(Hash)]
enum Holder {
    Community(CommunityId),
    Address(Option<ClientAddress>),
}

impl Holder {
    fn of(request: &Request<Body>) -> Self {
        if let Some(caller) = request.extensions().get::<Arc<Caller>>() {
            return Self::Community(caller.community);
        }
        Self::Address(request.extensions().get::<ClientAddress>().copied())
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
        let holder = Holder::of(&request);
        let limit = rule.max_request + PREFIX;
        let budgets = self.clone();
        // The clone that was made ready must be the one that is called.
        let next = service.clone();
        let mut service = std::mem::replace(service, next);
        Box::pin(async move {
            let (head, body) = request.into_parts();
            let budget = match holder {
                Holder::Community(_) => &budgets.known,
                Holder::Address(_) => &budgets.public,
            };
            match budget.read(body, limit, holder).await {
                Ok(body) => {
                    let body = Body::new(Full::new(body));
                    service.call(Request::from_parts(head, body)).await
                }
                Err(error) => Ok(Status::from(error).into_http()),
            }
        })
    }
}
