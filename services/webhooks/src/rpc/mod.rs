//! What callers ask, a file per gRPC service; `receive` is what is called from outside.

mod incoming;
mod outgoing;
mod receive;
mod workflows;

use guildhall_proto::webhooks::v1::{
    incoming_webhook_service_server::{IncomingWebhookServiceServer, SERVICE_NAME as INCOMING},
    outgoing_webhook_service_server::{OutgoingWebhookServiceServer, SERVICE_NAME as OUTGOING},
    workflow_service_server::{SERVICE_NAME as WORKFLOWS, WorkflowServiceServer},
};
use tonic::service::RoutesBuilder;

use crate::Webhooks;

/// The full names of the services.
pub const SERVICES: &[&str] = &[OUTGOING, INCOMING, WORKFLOWS];

/// Adds all of them.
pub fn add_services(webhooks: &Webhooks, routes: &mut RoutesBuilder) {
    routes
        .add_service(OutgoingWebhookServiceServer::new(webhooks.clone()))
        .add_service(IncomingWebhookServiceServer::new(webhooks.clone()))
        .add_service(WorkflowServiceServer::new(webhooks.clone()));
}
