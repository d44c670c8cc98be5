//! Domain events, written in the transaction of their cause.
//!
//! The table is the truth and stays for a retention; whatever carries events on reads it here.

mod sweep;

use guildhall_data::{CommunityId, Database, EventId, FileTransaction, Tenant, failed};
use guildhall_proto::events::v1::{Event, event::Payload};
use guildhall_runtime::{Result, Shutdown, Timestamp};
use prost::Message;
use sea_orm::{ActiveValue::Set, ConnectionTrait, entity::prelude::*};
use tokio::sync::watch;

pub use self::sweep::Sweeper;
use crate::{Retention, backlog};

/// Order holds inside a partition.
pub(crate) const PARTITIONS: i16 = 16;

/// The outbox of a service. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Outbox {
    database: Database,
    service: &'static str,
    news: watch::Sender<()>,
}

impl Outbox {
    /// The outbox in the `database` of `service`, which has the tables of [`migration`] and of
    /// [`crate::cursor`].
    #[must_use]
    pub fn open(database: &Database, service: &'static str) -> Self {
        Self {
            database: database.clone(),
            service,
            news: watch::Sender::new(()),
        }
    }

    /// Sweeps and measures it until `shutdown`.
    pub(crate) fn keep(&self, retention: Retention, shutdown: &Shutdown) {
        let backlog = backlog::measured(&self.database, self.service, retention);
        let sweep = sweep::run(self.database.clone(), retention, shutdown.clone());
        tokio::spawn(async move {
            // Held: it looks at the outbox as long as it is there.
            let _backlog = backlog;
            sweep.await;
        });
    }

    /// Says that events were committed. Without it they wait for half a second.
    pub fn announce(&self) {
        self.news.send_replace(());
    }

    /// Is told of events that this process commits.
    pub(crate) fn listen(&self) -> watch::Receiver<()> {
        self.news.subscribe()
    }

    pub(crate) fn database(&self) -> &Database {
        &self.database
    }

    /// The service that it belongs to.
    #[must_use]
    pub fn service(&self) -> &'static str {
        self.service
    }
}

/// The table `outbox`, which each service that publishes has (see [`migration`]).
pub mod entity {
    use super::*;

    /// An event on its way.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "outbox")]
    pub struct Model {
        /// Rises within a partition in the order of the events.
        #[sea_orm(primary_key)]
        pub position: i64,
        /// The event's own id, by which consumers drop what they have seen.
        pub event_id: EventId,
        /// The community in which it happened.
        pub community_id: CommunityId,
        /// Hash of the event's partition key, 0 to 15.
        pub partition: i16,
        /// The encoded event.
        pub payload: Vec<u8>,
        /// When it was written, in milliseconds.
        pub created_at: i64,
    }

    /// None: rows stand alone.
    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}

    impl Tenant for Entity {
        const COMMUNITY: Column = Column::CommunityId;
    }
}

/// The table's migration, for the list of a service's migrations.
pub mod migration {
    use sea_orm_migration::{prelude::*, schema::*};

    /// Makes the table `outbox` and the index that its sweeper walks.
    #[derive(Debug, Clone, Copy)]
    pub struct CreateOutbox;

    impl MigrationName for CreateOutbox {
        fn name(&self) -> &str {
            "m0002_create_outbox"
        }
    }

    #[async_trait::async_trait]
    impl MigrationTrait for CreateOutbox {
        fn use_transaction(&self) -> Option<bool> {
            Some(true)
        }

        async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
            let column = Alias::new;
            manager
                .create_table(
                    Table::create()
                        .table(column("outbox"))
                        .col(big_pk_auto(column("position")))
                        .col(string_len(column("event_id"), 24))
                        .col(string_len(column("community_id"), 24))
                        .col(small_integer(column("partition")))
                        .col(binary(column("payload")))
                        .col(big_integer(column("created_at")))
                        .to_owned(),
                )
                .await?;
            manager
                .create_index(
                    Index::create()
                        .name("outbox_created_at")
                        .table(column("outbox"))
                        .col(column("created_at"))
                        .to_owned(),
                )
                .await
        }
    }
}

/// An event about to be written.
#[derive(Debug, Clone)]
pub struct NewEvent {
    /// The community in which it happened.
    pub community: CommunityId,
    /// The user who caused it; empty when none did.
    pub actor: String,
    /// The channel or user whose events arrive in order.
    pub partition_key: String,
    /// When it happened.
    pub time: Timestamp,
    /// W3C trace context of its cause; empty when that is not sampled.
    pub traceparent: String,
    /// What happened.
    pub payload: Payload,
}

impl NewEvent {
    /// The row to insert with the cause.
    #[must_use]
    pub fn into_row(self) -> entity::ActiveModel {
        let id = EventId::generate();
        let partition = partition_of(&self.partition_key);
        let event = Event {
            id: id.to_string(),
            time: Some(self.time.into()),
            community_id: self.community.to_string(),
            actor_id: self.actor,
            partition_key: self.partition_key,
            partition: partition.into(),
            traceparent: self.traceparent,
            payload: Some(self.payload),
        };
        entity::ActiveModel {
            position: sea_orm::ActiveValue::NotSet,
            event_id: Set(id),
            community_id: Set(self.community),
            partition: Set(partition),
            payload: Set(event.encode_to_vec()),
            created_at: Set(self.time.as_millis()),
        }
    }
}

/// FNV-1a of the key: the same on every machine and in every version.
fn partition_of(key: &str) -> i16 {
    let hash = key.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    });
    i16::try_from(hash % u32::from(PARTITIONS.unsigned_abs())).unwrap_or(0)
}

/// Writes events in the transaction of their cause, in one statement.
///
/// # Errors
/// When the statement fails: roll back.
pub async fn append(transaction: &impl ConnectionTrait, events: Vec<NewEvent>) -> Result<()> {
    if events.is_empty() {
        return Ok(());
    }
    let rows = events.into_iter().map(NewEvent::into_row);
    entity::Entity::insert_many(rows)
        .exec_without_returning(transaction)
        .await
        .map_err(failed)?;
    Ok(())
}

/// The same in a group commit on a SQLite file.
///
/// # Errors
/// When the statement fails: roll back.
pub fn append_to_file(transaction: &FileTransaction<'_>, events: Vec<NewEvent>) -> Result<()> {
    let rows: Vec<_> = events.into_iter().map(NewEvent::into_row).collect();
    transaction.insert::<entity::Entity>(&rows)
}
