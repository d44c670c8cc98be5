//! A file per gRPC service: its methods, each of which is the action of the same name.

mod channels;
mod messages;
mod reactions;
mod topics;

use guildhall_proto::messaging::v1::{
    channel_service_server::ChannelServiceServer, message_service_server::MessageServiceServer,
    reaction_service_server::ReactionServiceServer, topic_service_server::TopicServiceServer,
};
use guildhall_server::{Rpcs, serve};

use crate::Messaging;

/// Adds all of them.
pub(crate) fn add_services(messaging: &Messaging, rpcs: &mut Rpcs) {
    serve!(
        rpcs,
        messaging,
        [
            ChannelServiceServer,
            TopicServiceServer,
            MessageServiceServer,
            ReactionServiceServer,
        ]
    );
}
