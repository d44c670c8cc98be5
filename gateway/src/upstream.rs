//! The services behind the gateway.

use std::sync::Arc;

use axum::extract::FromRef;
use guildhall_catalog::{IDENTITY, MESSAGING, SERVICES, Service, WEBHOOKS};
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
use guildhall_runtime::{Peer, Result, Shutdown};
use guildhall_server::Peers;
use tonic_health::pb::health_client::HealthClient;

use crate::public_url::PublicUrl;

/// The largest answer of a service: 200 messages of 10,000 characters with all their details.
const MAX_ANSWER: usize = 32 * 1024 * 1024;

/// Manages outgoing webhooks.
pub type OutgoingWebhooks = OutgoingWebhookServiceClient<Peer>;
/// Manages incoming webhooks, and calls them.
pub type IncomingWebhooks = IncomingWebhookServiceClient<Peer>;

/// Workflows, and what they tell of.
pub type Workflows = WorkflowServiceClient<Peer>;

/// Clients of the services, and what else handlers need. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Services(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    identity: Peer,
    messaging: Peer,
    webhooks: Peer,
    health: Vec<(&'static Service, HealthClient<Peer>)>,
    public_url: Option<PublicUrl>,
    shutdown: Shutdown,
}

impl Services {
    /// Every service of the catalogue is checked; those that routes call are named here.
    pub fn new(peers: &Peers, public_url: Option<PublicUrl>, shutdown: Shutdown) -> Result<Self> {
        let health = SERVICES.iter().map(|service| {
            let peer = peers.get(service)?;
            Ok((*service, HealthClient::new(peer)))
        });
        Ok(Self(Arc::new(Inner {
            identity: peers.get(IDENTITY)?,
            messaging: peers.get(MESSAGING)?,
            webhooks: peers.get(WEBHOOKS)?,
            health: health.collect::<Result<_>>()?,
            public_url,
            shutdown,
        })))
    }

    /// Where clients reach us, when the operator has said so.
    pub fn public_url(&self) -> Option<&PublicUrl> {
        self.0.public_url.as_ref()
    }

    pub fn authentication(&self) -> AuthenticationServiceClient<Peer> {
        AuthenticationServiceClient::new(self.0.identity.clone())
    }

    pub fn api_keys(&self) -> ApiKeyServiceClient<Peer> {
        ApiKeyServiceClient::new(self.0.identity.clone())
    }

    pub fn directory(&self) -> UserDirectoryServiceClient<Peer> {
        UserDirectoryServiceClient::new(self.0.identity.clone())
    }

    pub fn channels(&self) -> ChannelServiceClient<Peer> {
        ChannelServiceClient::new(self.0.messaging.clone()).max_decoding_message_size(MAX_ANSWER)
    }

    pub fn messages(&self) -> MessageServiceClient<Peer> {
        MessageServiceClient::new(self.0.messaging.clone()).max_decoding_message_size(MAX_ANSWER)
    }

    pub fn reactions(&self) -> ReactionServiceClient<Peer> {
        ReactionServiceClient::new(self.0.messaging.clone())
    }

    /// The health of each service.
    pub fn health(&self) -> impl Iterator<Item = (&'static Service, HealthClient<Peer>)> {
        self.0.health.iter().cloned()
    }

    /// Whether the process is stopping.
    pub fn is_stopping(&self) -> bool {
        self.0.shutdown.is_started()
    }
}

/// Makes a client the `State` of handlers, which then see that service alone.
macro_rules! state {
    ($($client:ty: $service:ident,)*) => { $(
        impl FromRef<Services> for $client {
            fn from_ref(services: &Services) -> Self {
                Self::new(services.0.$service.clone())
            }
        }
    )* };
}

state! {
    OutgoingWebhooks: webhooks,
    IncomingWebhooks: webhooks,
    Workflows: webhooks,
}
