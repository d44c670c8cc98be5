//! Webhooks: events carried out to receivers, calls taken in.
//!
//! * `rpc`: a file per gRPC service
//! * [`operator`]: what an operator does, past every access rule
//! * [`domain`]: rules that need no I/O
//! * [`store`]: entities and queries
//! * `entrance`: webhooks by address, remembered for a second, and how often they are called
//! * [`events`]: what the rest of the platform is told
//! * [`present`]: how stored records are shown in answers
//! * [`migration`]: the tables

pub mod domain;
mod entrance;
pub mod events;
pub mod migration;
pub mod operator;
pub mod present;
mod rpc;
pub mod store;

use std::{sync::Arc, time::Duration};

use guildhall_data::{Database, Idempotency, Storage, idempotency, seal::Sealer, sweep};
use guildhall_events::{Outbox, Signals};
use guildhall_runtime::{Peer, Result, Shutdown};
use tonic::service::RoutesBuilder;

use crate::{domain::workflow::Sessions, entrance::Entrance};

/// The webhooks service. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Webhooks(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    database: Database,
    idempotency: Idempotency,
    signals: Signals,
    /// Seals the keys and secrets of webhooks.
    sealer: Sealer,
    entrance: Entrance,
    sessions: Sessions,
    peers: Peers,
    settings: Settings,
    shutdown: Shutdown,
    outbox: Outbox,
}

/// The services that webhooks call. Both must be vouched for.
#[derive(Debug, Clone)]
pub struct Peers {
    /// Communities and users.
    pub identity: Peer,
    /// Channels and messages.
    pub messaging: Peer,
}

/// What an operator decides about webhooks.
#[derive(Debug, Clone, clap::Args)]
#[group(id = "webhooks")]
pub struct Settings {
    /// Deliver to private, loopback and link-local addresses, and over plain http: for development
    /// alone.
    #[arg(
        long = "webhooks-allow-private",
        env = "GUILDHALL_WEBHOOKS_ALLOW_PRIVATE",
        value_parser = clap::builder::FalseyValueParser::new()
    )]
    pub allow_private: bool,
}

impl Webhooks {
    /// The full names of its gRPC services.
    pub const SERVICES: &'static [&'static str] = rpc::SERVICES;

    /// Opens its database in `storage` and begins to sweep it. `secret` is the platform's.
    ///
    /// # Errors
    /// When the database cannot be opened, migrated, or trusted to be durable.
    pub async fn open(
        storage: &Storage,
        secret: &[u8],
        peers: Peers,
        settings: Settings,
        signals: Signals,
        shutdown: &Shutdown,
    ) -> Result<Self> {
        let database = Database::open::<migration::Migrator>(storage, "webhooks").await?;
        sweep::start::<idempotency::entity::Entity>(
            database.clone(),
            idempotency::entity::Column::ExpiresAt,
            Duration::ZERO,
            shutdown.clone(),
        );
        Ok(Self(Arc::new(Inner {
            idempotency: Idempotency::new(database.clone()),
            sealer: Sealer::derive(secret, b"webhook secrets")?,
            entrance: Entrance::default(),
            sessions: Sessions::derive(secret),
            outbox: Outbox::open(&database, "webhooks", shutdown),
            database,
            signals,
            peers,
            settings,
            shutdown: shutdown.clone(),
        })))
    }

    /// What it tells the rest of the platform.
    #[must_use]
    pub fn outbox(&self) -> &Outbox {
        &self.0.outbox
    }

    /// Adds its gRPC services.
    pub fn add_services(&self, routes: &mut RoutesBuilder) {
        rpc::add_services(self, routes);
    }
}
