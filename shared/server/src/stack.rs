//! What stands in front of every RPC, in one process as in many.

use std::convert::Infallible;

use guildhall_auth::AccessLayer;
use guildhall_runtime::{around::around, deadline::DeadlineLayer, trace::TraceLayer};
use http::{Request, Response};
use tonic::{body::Body, service::Routes};
use tower::{Service, ServiceBuilder};

use crate::{malformed::MalformedLayer, metrics::rpc::MeterLayer, request_body::RequestBodyLayer};

/// `routes` behind everything that a call passes, from outside in.
pub fn stack(
    routes: Routes,
    access: AccessLayer,
) -> impl Service<Request<Body>, Response = Response<Body>, Error = Infallible, Future: Send + 'static>
+ Clone
+ Send
+ Sync
+ 'static {
    let tokens = access.tokens().clone();
    ServiceBuilder::new()
        .layer(around(TraceLayer::new(move |headers| {
            tokens.is_service(headers)
        })))
        .layer(around(MeterLayer))
        .layer(around(DeadlineLayer))
        .layer(around(access))
        .layer(around(RequestBodyLayer::default()))
        .layer(around(MalformedLayer))
        .service(routes.prepare())
}
