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

/// Logs members in, and knows the keys that their tokens are signed with.
pub type Authentication = AuthenticationServiceClient<Peer>;
/// Manages API keys.
pub type ApiKeys = ApiKeyServiceClient<Peer>;
/// Users and communities.
pub type Directory = UserDirectoryServiceClient<Peer>;

/// Manages channels.
pub type Channels = ChannelServiceClient<Peer>;
/// Sends and lists messages.
pub type Messages = MessageServiceClient<Peer>;
/// Adds, removes and lists reactions.
pub type Reactions = ReactionServiceClient<Peer>;

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
    public_url: PublicUrl,
    shutdown: Shutdown,
}

impl Services {
    /// Every service of the catalogue is checked; those that routes call are named here.
    pub fn new(peers: &Peers, public_url: PublicUrl, shutdown: Shutdown) -> Result<Self> {
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

    /// One of the clients that are listed below, for handlers that need several.
    pub fn client<C: FromRef<Self>>(&self) -> C {
        C::from_ref(self)
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

/// Where clients reach us, as the `State` of handlers whose answers say so.
impl FromRef<Services> for PublicUrl {
    fn from_ref(services: &Services) -> Self {
        services.0.public_url.clone()
    }
}

/// Makes a client the `State` of handlers, which then see that service alone.
macro_rules! state {
    ($($client:ty: $service:ident,)*) => { $(
        impl FromRef<Services> for $client {
            fn from_ref(services: &Services) -> Self {
                let client = Self::new(services.0.$service.clone());
                client.max_decoding_message_size(MAX_ANSWER)
            }
        }
    )* };
}

state! {
    Authentication: identity,
    ApiKeys: identity,
    Directory: identity,
    Channels: messaging,
    Messages: messaging,
    Reactions: messaging,
    OutgoingWebhooks: webhooks,
    IncomingWebhooks: webhooks,
    Workflows: webhooks,
}
