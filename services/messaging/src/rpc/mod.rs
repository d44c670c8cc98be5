//! A file per gRPC service. Each method reads the request, makes one call, and answers.

mod channels;
mod messages;
mod reactions;
mod topics;

use guildhall_proto::messaging::v1::{
    channel_service_server::{ChannelServiceServer, SERVICE_NAME as CHANNELS},
    message_service_server::{MessageServiceServer, SERVICE_NAME as MESSAGES},
    reaction_service_server::{ReactionServiceServer, SERVICE_NAME as REACTIONS},
    topic_service_server::{SERVICE_NAME as TOPICS, TopicServiceServer},
};
use tonic::service::RoutesBuilder;

use crate::Messaging;

/// The full names of the services.
pub(crate) const SERVICES: &[&str] = &[CHANNELS, TOPICS, MESSAGES, REACTIONS];

/// Adds all of them.
pub(crate) fn add_services(messaging: &Messaging, routes: &mut RoutesBuilder) {
    routes
        .add_service(ChannelServiceServer::new(messaging.clone()))
        .add_service(TopicServiceServer::new(messaging.clone()))
        .add_service(MessageServiceServer::new(messaging.clone()))
        .add_service(ReactionServiceServer::new(messaging.clone()));
}
