//! The parts that every gRPC server of ours has, and the peers that services call.

use std::task::{Context, Poll};

use http::{Request, Response};
use tonic::{
    body::Body,
    service::{Routes, RoutesBuilder},
};
use tower::{BoxError, Service, ServiceExt, util::BoxCloneSyncService};

/// A service to call, in this process or over the network: the callers cannot tell.
#[derive(Clone)]
pub struct Peer(BoxCloneSyncService<Request<Body>, Response<Body>, BoxError>);

impl Peer {
    /// A peer in this process: same layers, no socket.
    pub fn in_process<S>(service: S) -> Self
    where
        S: Service<Request<Body>, Response = Response<Body>> + Clone + Send + Sync + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send + 'static,
    {
        Self(BoxCloneSyncService::new(service.map_err(Into::into)))
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

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        self.0.call(request)
    }
}

/// Adds the standard health service, which says SERVING for each of `services` from now on, and
/// reflection (v1 and v1alpha) of exactly these.
///
/// # Errors
/// When the descriptor set does not decode: a broken build.
pub async fn with_standard_services(
    mut routes: RoutesBuilder,
    services: &[&'static str],
) -> Result<Routes, tonic_reflection::server::Error> {
    let (reporter, health) = tonic_health::server::health_reporter();
    for service in services {
        reporter
            .set_service_status(*service, tonic_health::ServingStatus::Serving)
            .await;
    }
    let reflection = || {
        let builder = tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(guildhall_proto::DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
            .with_service_name("grpc.health.v1.Health");
        services.iter().fold(builder, |builder, service| {
            builder.with_service_name(*service)
        })
    };
    routes
        .add_service(health)
        .add_service(reflection().build_v1()?)
        .add_service(reflection().build_v1alpha()?);
    Ok(routes.routes())
}
