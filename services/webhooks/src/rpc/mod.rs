//! A file per gRPC service: its methods, each of which is the action of the same name.

mod incoming;
mod outgoing;
mod workflows;

use guildhall_proto::webhooks::v1::{
    incoming_webhook_service_server::IncomingWebhookServiceServer,
    outgoing_webhook_service_server::OutgoingWebhookServiceServer,
    workflow_service_server::WorkflowServiceServer,
};
use guildhall_server::{Rpcs, serve};

use crate::Webhooks;

/// Adds all of them.
pub fn add_services(webhooks: &Webhooks, rpcs: &mut Rpcs) {
    serve!(
        rpcs,
        webhooks,
        [
            OutgoingWebhookServiceServer,
            IncomingWebhookServiceServer,
            WorkflowServiceServer,
        ]
    );
}
