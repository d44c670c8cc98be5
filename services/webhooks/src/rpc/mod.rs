//! What callers ask, a file per gRPC service.

mod outgoing;

use guildhall_proto::webhooks::v1::outgoing_webhook_service_server::{
    OutgoingWebhookServiceServer, SERVICE_NAME as OUTGOING,
};
use tonic::service::RoutesBuilder;

use crate::Webhooks;

/// The full names of the services.
pub const SERVICES: &[&str] = &[OUTGOING];

/// Adds all of them.
pub fn add_services(webhooks: &Webhooks, routes: &mut RoutesBuilder) {
    routes.add_service(OutgoingWebhookServiceServer::new(webhooks.clone()));
}
