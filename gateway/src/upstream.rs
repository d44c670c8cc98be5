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
    webhooks::v1::{
        incoming_webhook_service_client::IncomingWebhookServiceClient,
        outgoing_webhook_service_client::OutgoingWebhookServiceClient,
        workflow_service_client::WorkflowServiceClient,
    },
};
use guildhall_runtime::{Peer, Shutdown};
use tonic_health::pb::health_client::HealthClient;

use crate::public_url::PublicUrl;

/// The largest answer of a service: 200 messages of 10,000 characters with all their details.
const MAX_ANSWER: usize = 32 * 1024 * 1024;

/// The services behind the gateway, vouched for (`PeerTokens::vouch`).
#[derive(Debug, Clone)]
pub struct Upstream {
    /// Communities, users, credentials.
    pub identity: Peer,
    /// Channels, messages, reactions.
    pub messaging: Peer,
    /// Webhooks and workflows.
    pub webhooks: Peer,
}

/// Clients of the services, and what else handlers need. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Services(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    upstream: Upstream,
    public_url: Option<PublicUrl>,
    shutdown: Shutdown,
}

impl Services {
    pub fn new(upstream: Upstream, public_url: Option<PublicUrl>, shutdown: Shutdown) -> Self {
        Self(Arc::new(Inner {
            upstream,
            public_url,
            shutdown,
        }))
    }

    /// Where clients reach us, when the operator has said so.
    pub fn public_url(&self) -> Option<&PublicUrl> {
        self.0.public_url.as_ref()
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

    pub fn outgoing_webhooks(&self) -> OutgoingWebhookServiceClient<Peer> {
        OutgoingWebhookServiceClient::new(self.0.upstream.webhooks.clone())
    }

    pub fn incoming_webhooks(&self) -> IncomingWebhookServiceClient<Peer> {
        IncomingWebhookServiceClient::new(self.0.upstream.webhooks.clone())
    }

    pub fn workflows(&self) -> WorkflowServiceClient<Peer> {
        WorkflowServiceClient::new(self.0.upstream.webhooks.clone())
    }

    /// The health of each service, by the service's name.
    pub fn health(&self) -> [(&'static str, HealthClient<Peer>); 3] {
        let upstream = &self.0.upstream;
        [
            ("identity", &upstream.identity),
            ("messaging", &upstream.messaging),
            ("webhooks", &upstream.webhooks),
        ]
        .map(|(name, peer)| (name, HealthClient::new(peer.clone())))
    }

    /// Whether the process is stopping.
    pub fn is_stopping(&self) -> bool {
        self.0.shutdown.is_started()
    }
}
