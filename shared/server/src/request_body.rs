//! The messages of calls over a socket are read whole before their handler runs, with a limit for
//! each RPC and one for all together.

use std::sync::Arc;

use guildhall_auth::{AccessRule, Caller, ClientAddress, Credential, rule::RpcRule};
use guildhall_runtime::{
    around::{Answer, Around, RpcService},
    body::{BodyBudget, BodyLimits},
    serve::ClientSocket,
};
use guildhall_types::CommunityId;
use http::Request;
use http_body_util::Full;
use tonic::{Status, body::Body};

const MIB: usize = 1024 * 1024;
/// The memory for messages of callers that were let in: their group is the community.
const KNOWN: BodyLimits = BodyLimits {
    total: 16 * MIB,
    group: 8 * MIB,
    sender: 4 * MIB,
};
/// The memory for messages of all others: address by address.
const PUBLIC: BodyLimits = BodyLimits {
    total: 4 * MIB,
    group: MIB,
    sender: MIB,
};
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
        Self {
            known: Arc::new(BodyBudget::new(KNOWN)),
            public: Arc::new(BodyBudget::new(PUBLIC)),
        }
    }
}

/// Whose message is read.
enum Sender {
    /// A service of this platform, for itself.
    Service,
    Known(CommunityId, [u8; 32]),
    Public(Option<ClientAddress>),
}

impl Sender {
    fn of(request: &Request<Body>, rule: &RpcRule) -> Self {
        if *rule.access == AccessRule::Internal {
            return Self::Service;
        }
        let caller = request.extensions().get::<Arc<Caller>>();
        let credential = Credential::from_metadata(request.headers());
        match (caller, credential) {
            (Some(caller), Ok(Some(credential))) => {
                Self::Known(caller.community, credential.digest())
            }
            (None, _) | (_, Ok(None) | Err(_)) => {
                Self::Public(request.extensions().get::<ClientAddress>().copied())
            }
        }
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
        let sender = Sender::of(&request, rule);
        let limit = rule.max_request + PREFIX;
        let budgets = self.clone();
        // The clone that was made ready must be the one that is called.
        let next = service.clone();
        let mut service = std::mem::replace(service, next);
        Box::pin(async move {
            let (head, body) = request.into_parts();
            let read = match sender {
                Sender::Service => budgets.known.read(body, limit, (), ()).await,
                Sender::Known(community, digest) => {
                    budgets.known.read(body, limit, community, digest).await
                }
                Sender::Public(address) => budgets.public.read(body, limit, address, address).await,
            };
            match read {
                Ok(body) => {
                    let body = Body::new(Full::new(body));
                    service.call(Request::from_parts(head, body)).await
                }
                Err(error) => Ok(Status::from(error).into_http()),
            }
        })
    }
}
