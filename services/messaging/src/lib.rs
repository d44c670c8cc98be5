//! Channels, messages, replies and reactions.
//!
//! * `rpc`: a file per gRPC service
//! * [`domain`]: rules that need no I/O
//! * [`store`]: entities and queries; [`store::append`] is the group insert
//! * [`directory`] and [`rooms`]: members, channels and topics, remembered for a short time
//! * `places`: where messages stand, remembered for cursors
//! * [`arrivals`]: what wakes the live streams; [`turns`]: who may change a message now
//! * [`events`]: what the rest of the platform is told
//! * [`present`]: how stored records are shown in answers
//! * [`migration`]: the tables

pub mod arrivals;
pub mod directory;
pub mod domain;
pub mod events;
pub mod migration;
mod places;
pub mod present;
pub mod rooms;
mod rpc;
pub mod store;
pub mod turns;

use std::{sync::Arc, time::Duration};

use guildhall_data::{Database, GroupCommit, Idempotency, Storage, idempotency, sweep};
use guildhall_events::Outbox;
use guildhall_proto::messaging::v1::{
    channel_service_server::{ChannelServiceServer, SERVICE_NAME as CHANNELS},
    message_service_server::{MessageServiceServer, SERVICE_NAME as MESSAGES},
    reaction_service_server::{ReactionServiceServer, SERVICE_NAME as REACTIONS},
    topic_service_server::{SERVICE_NAME as TOPICS, TopicServiceServer},
};
use guildhall_runtime::{Peer, Result, Shutdown};
use guildhall_signals::Signals;
use tonic::service::RoutesBuilder;

use crate::{
    arrivals::Arrivals, directory::Directory, places::Places, rooms::Rooms, store::append::Append,
    turns::Turns,
};

/// The messaging service. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Messaging(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    database: Database,
    directory: Directory,
    rooms: Rooms,
    idempotency: Idempotency,
    appends: GroupCommit<Append>,
    arrivals: Arrivals,
    turns: Turns,
    places: Places,
    shutdown: Shutdown,
    outbox: Outbox,
}

impl Messaging {
    /// The full names of its gRPC services.
    pub const SERVICES: &'static [&'static str] = &[CHANNELS, TOPICS, MESSAGES, REACTIONS];

    /// Opens its database in `storage` and begins to sweep it. `identity` must be vouched for.
    ///
    /// # Errors
    /// When the database cannot be opened, migrated, or trusted to be durable.
    pub async fn open(
        storage: &Storage,
        identity: Peer,
        signals: Signals,
        shutdown: &Shutdown,
    ) -> Result<Self> {
        let database = Database::open::<migration::Migrator>(storage, "messaging").await?;
        sweep::start::<idempotency::entity::Entity>(
            database.clone(),
            idempotency::entity::Column::ExpiresAt,
            Duration::ZERO,
            shutdown.clone(),
        );
        let outbox = Outbox::open(&database, "messaging");
        let append = Append::new(database.clone(), signals.clone(), outbox.clone());
        Ok(Self(Arc::new(Inner {
            directory: Directory::new(identity, &signals),
            rooms: Rooms::new(database.clone(), &signals),
            idempotency: Idempotency::new(database.clone()),
            arrivals: Arrivals::listen(&signals),
            appends: GroupCommit::start(append).await?,
            turns: Turns::default(),
            places: Places::default(),
            shutdown: shutdown.clone(),
            outbox,
            database,
        })))
    }

    /// What it tells the rest of the platform.
    #[must_use]
    pub fn outbox(&self) -> &Outbox {
        &self.0.outbox
    }

    /// Adds its gRPC services.
    pub fn add_services(&self, routes: &mut RoutesBuilder) {
        routes
            .add_service(ChannelServiceServer::new(self.clone()))
            .add_service(TopicServiceServer::new(self.clone()))
            .add_service(MessageServiceServer::new(self.clone()))
            .add_service(ReactionServiceServer::new(self.clone()));
    }
}
