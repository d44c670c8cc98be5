//! What callers ask, a file per gRPC service; `receive` is what is called from outside.

mod incoming;
mod receive;
mod workflows;

use guildhall_proto::webhooks::v1::{
    incoming_webhook_service_server::{self, IncomingWebhookServiceServer},
    workflow_service_server::{self, WorkflowServiceServer},
};
use tonic::service::RoutesBuilder;

use crate::Webhooks;

/// The full names of the services.
pub const SERVICES: &[&str] = &[
    incoming_webhook_service_server::SERVICE_NAME,
    workflow_service_server::SERVICE_NAME,
];

/// Adds all of them.
pub fn add_services(webhooks: &Webhooks, routes: &mut RoutesBuilder) {
    routes
        .add_service(IncomingWebhookServiceServer::new(webhooks.clone()))
        .add_service(WorkflowServiceServer::new(webhooks.clone()));
}
