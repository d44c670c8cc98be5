//! Health and reflection, which every gRPC server of ours has.

use tonic::service::{Routes, RoutesBuilder};
use tonic_health::ServingStatus;

use crate::Shutdown;

/// The largest request of these, in bytes: they take names.
const MAX_REQUEST: usize = 4 * 1024;

/// Adds the standard health service, which says SERVING for the process and for each of `services`
/// until `shutdown`, NOT_SERVING after, and reflection (v1 and v1alpha) of exactly these.
///
/// # Errors
/// When the descriptor set does not decode: a broken build.
pub async fn with_standard_services(
    mut routes: RoutesBuilder,
    services: &[&'static str],
    shutdown: &Shutdown,
) -> Result<Routes, tonic_reflection::server::Error> {
    let (reporter, health) = tonic_health::server::health_reporter();
    let health = health.max_decoding_message_size(MAX_REQUEST);
    for service in services {
        reporter
            .set_service_status(*service, ServingStatus::Serving)
            .await;
    }
    let stopping = shutdown.started();
    // The empty name stands for the whole process.
    let stopped = [services, &[""]].concat();
    tokio::spawn(async move {
        stopping.await;
        for service in stopped {
            reporter
                .set_service_status(service, ServingStatus::NotServing)
                .await;
        }
    });
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
        .add_service(
            reflection()
                .build_v1()?
                .max_decoding_message_size(MAX_REQUEST),
        )
        .add_service(
            reflection()
                .build_v1alpha()?
                .max_decoding_message_size(MAX_REQUEST),
        );
    Ok(routes.routes())
}
