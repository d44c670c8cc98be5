//! Channels, messages, replies and reactions.
//!
//! * `rpc`: a file per gRPC service
//! * [`actions`]: a file per use case, with its transaction; [`actions::append`] is the group insert
//! * [`domain`]: rules without I/O
//! * [`store`]: entities and queries
//! * [`present`]: stored records as they look in answers
//! * [`events`]: what the rest of the platform is told
//! * [`migration`]: the tables
//!
//! Three parts serve the whole service: [`cache`] holds channels, topics and message positions,
//! [`new_messages`] notifies live streams, and [`message_locks`] orders changes of one message.

pub mod actions;
pub mod cache;
pub mod domain;
pub mod events;
pub mod message_locks;
pub mod migration;
pub mod new_messages;
pub mod present;
mod rpc;
pub mod store;

use std::sync::Arc;

use async_trait::async_trait;
use guildhall_catalog::MESSAGING;
use guildhall_data::{Database, GroupCommit};
use guildhall_directory::Directory;
use guildhall_events::Outbox;
use guildhall_runtime::{Result, Shutdown};
use guildhall_server::Rpcs;
use guildhall_service::{Context, Environment, Running, Service};
use guildhall_writes::Writes;

use crate::{
    actions::append::Append,
    cache::{ChannelCache, PositionCache},
    message_locks::MessageLocks,
    new_messages::NewMessages,
};

/// The messaging service. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Messaging(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    database: Database,
    directory: Directory,
    channels: ChannelCache,
    positions: PositionCache,
    writes: Writes,
    appends: GroupCommit<Append>,
    new_messages: NewMessages,
    message_locks: MessageLocks,
    shutdown: Shutdown,
    outbox: Outbox,
}

#[async_trait]
impl Service for Messaging {
    const ENTRY: &'static guildhall_catalog::Service = MESSAGING;
    type Settings = ();

    async fn open(context: Context<'_, ()>) -> Result<Self> {
        let Environment {
            storage,
            signals,
            shutdown,
            ..
        } = context.environment;
        let database = Database::open::<migration::Migrator>(storage, MESSAGING.name).await?;
        let outbox = Outbox::open(&database, MESSAGING.name);
        let append = Append::new(database.clone(), signals.clone(), outbox.clone());
        Ok(Self(Arc::new(Inner {
            directory: context.directory()?,
            channels: ChannelCache::new(database.clone(), signals),
            positions: PositionCache::default(),
            writes: Writes::open(&database, shutdown),
            appends: GroupCommit::start(append).await?,
            new_messages: NewMessages::listen(signals),
            message_locks: MessageLocks::default(),
            shutdown: shutdown.clone(),
            outbox,
            database,
        })))
    }
}

#[async_trait]
impl Running for Messaging {
    fn add_services(&self, rpcs: &mut Rpcs) {
        rpc::add_services(self, rpcs);
    }

    fn outbox(&self) -> &Outbox {
        &self.0.outbox
    }
}
