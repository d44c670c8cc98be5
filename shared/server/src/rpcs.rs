//! The gRPC services of a process, collected with their names.

use std::{convert::Infallible, fmt};

use guildhall_runtime::{Error, Result, Shutdown, grpc};
use http::{Request, Response};
use tonic::{
    body::Body,
    server::NamedService,
    service::{Routes, RoutesBuilder},
};
use tower::Service;

/// Adds gRPC services that are all served by `$by`; they also read what clients compress.
///
/// ```ignore
/// serve!(rpcs, things, [ThingServiceServer, OtherServiceServer]);
/// ```
// The generated servers share no trait, so this is no function.
#[macro_export]
macro_rules! serve {
    ($rpcs:expr, $by:expr, [$($server:ident),* $(,)?]) => {
        $(
            $rpcs.add(
                $server::new($by.clone())
                    .max_decoding_message_size($crate::rpcs::MAX_MESSAGE)
                    .accept_compressed(tonic::codec::CompressionEncoding::Gzip)
                    .accept_compressed(tonic::codec::CompressionEncoding::Deflate),
            );
        )*
    };
}

/// The largest message that a handler gets, in bytes, also unpacked.
pub const MAX_MESSAGE: usize = guildhall_auth::rule::MAX_REQUEST;

/// The gRPC services that a process serves. Health and reflection know of each that is added.
#[derive(Default)]
pub struct Rpcs {
    routes: RoutesBuilder,
    names: Vec<&'static str>,
}

impl fmt::Debug for Rpcs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Rpcs").field(&self.names).finish()
    }
}

impl Rpcs {
    /// Adds a service. It trusts the access layer in front of it.
    pub fn add<S>(&mut self, service: S) -> &mut Self
    where
        S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>
            + NamedService
            + Clone
            + Send
            + Sync
            + 'static,
        S::Future: Send + 'static,
    {
        self.names.push(S::NAME);
        self.routes.add_service(service);
        self
    }

    /// The services alone, for calls inside the process.
    #[must_use]
    pub fn routes(self) -> Routes {
        self.routes.routes()
    }

    /// The services with health checks and reflection, for calls from outside.
    ///
    /// # Errors
    /// A broken build: when the protos' descriptors do not decode.
    pub async fn with_health_and_reflection(self, shutdown: &Shutdown) -> Result<Routes> {
        let routes = grpc::with_standard_services(self.routes, &self.names, shutdown).await;
        routes.map_err(Error::internal)
    }
}
