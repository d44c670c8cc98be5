//! The services behind the gateway.

use std::sync::Arc;

use guildhall_proto::{
    identity::v1::{
        api_key_service_client::ApiKeyServiceClient,
        authentication_service_client::AuthenticationServiceClient,
        user_directory_service_client::UserDirectoryServiceClient,
    },
    messaging::v1::{
        channel_service_client::ChannelServiceClient, message_service_client::MessageServiceClient,
        reaction_service_client::ReactionServiceClient,
    },
};
use guildhall_runtime::{Peer, Shutdown};
use tonic_health::pb::health_client::HealthClient;

/// The largest answer of a service: 200 messages of 10,000 characters with all their details.
const MAX_ANSWER: usize = 32 * 1024 * 1024;

/// The services behind the gateway, vouched for (`PeerTokens::vouch`).
#[derive(Debug, Clone)]
pub struct Upstream {
    /// Communities, users, credentials.
    pub identity: Peer,
    /// Channels, messages, reactions.
    pub messaging: Peer,
}

/// Clients of the services, and what else handlers need. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Services(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    upstream: Upstream,
    shutdown: Shutdown,
}

impl Services {
    pub fn new(upstream: Upstream, shutdown: Shutdown) -> Self {
        Self(Arc::new(Inner { upstream, shutdown }))
    }

    pub fn authentication(&self) -> AuthenticationServiceClient<Peer> {
        AuthenticationServiceClient::new(self.0.upstream.identity.clone())
    }

    pub fn api_keys(&self) -> ApiKeyServiceClient<Peer> {
        ApiKeyServiceClient::new(self.0.upstream.identity.clone())
    }

    pub fn directory(&self) -> UserDirectoryServiceClient<Peer> {
        UserDirectoryServiceClient::new(self.0.upstream.identity.clone())
    }

    pub fn channels(&self) -> ChannelServiceClient<Peer> {
        ChannelServiceClient::new(self.0.upstream.messaging.clone())
            .max_decoding_message_size(MAX_ANSWER)
    }

    pub fn messages(&self) -> MessageServiceClient<Peer> {
        MessageServiceClient::new(self.0.upstream.messaging.clone())
            .max_decoding_message_size(MAX_ANSWER)
    }

    pub fn reactions(&self) -> ReactionServiceClient<Peer> {
        ReactionServiceClient::new(self.0.upstream.messaging.clone())
    }

    /// The health of each service, by the service's name.
    pub fn health(&self) -> [(&'static str, HealthClient<Peer>); 2] {
        [
            (
                "identity",
                HealthClient::new(self.0.upstream.identity.clone()),
            ),
            (
                "messaging",
                HealthClient::new(self.0.upstream.messaging.clone()),
            ),
        ]
    }

    /// Whether the process is stopping.
    pub fn is_stopping(&self) -> bool {
        self.0.shutdown.is_started()
    }
}
