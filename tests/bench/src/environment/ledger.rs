//! A consumer with an effect: it writes down each event of messaging, in a database of its own.

use std::{net::Ipv4Addr, path::Path};

use async_trait::async_trait;
use guildhall_data::{Database, PostgresServer, Storage, Transaction, failed};
use guildhall_events::{
    BrokerKeys, BusSettings, Consumer, Handler, Retention,
    consumer::migration::CreateInbox,
    cursor::migration::CreateEventCursors,
    jetstream::{self, JetStream},
};
use guildhall_proto::events::v1::Event;
use guildhall_runtime::{Result as Checked, Shutdown, Timestamp};
use guildhall_server::secret;
use sea_orm::{ActiveValue::Set, entity::prelude::*};
use sea_orm_migration::{MigrationName, MigrationTrait, MigratorTrait, SchemaManager, schema};
use tokio::net::TcpListener;

use super::recorder::Recorder;
use crate::{Result, child};

/// What it calls itself, and its database.
const NAME: &str = "ledger";

/// An event as it was written down; nothing keeps a second one out.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "entries")]
pub struct Model {
    #[sea_orm(primary_key)]
    position: i64,
    event_id: String,
    community_id: String,
    actor_id: String,
}

/// None: rows stand alone.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

struct Tables;

impl MigratorTrait for Tables {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(CreateEventCursors),
            Box::new(CreateInbox),
            Box::new(CreateEntries),
        ]
    }
}

struct CreateEntries;

impl MigrationName for CreateEntries {
    fn name(&self) -> &str {
        "m0001_create_entries"
    }
}

#[async_trait]
impl MigrationTrait for CreateEntries {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = sea_orm_migration::prelude::Table::create()
            .table("entries")
            .col(schema::big_pk_auto("position"))
            .col(schema::text("event_id"))
            .col(schema::text("community_id"))
            .col(schema::text("actor_id"))
            .to_owned();
        manager.create_table(table).await
    }
}

struct EntryHandler(Recorder);

#[async_trait]
impl Handler for EntryHandler {
    type Effect = (ActiveModel, Timestamp);
    type Done = Vec<Timestamp>;

    async fn prepare(&self, events: &[&Event]) -> Checked<Vec<Checked<Option<Self::Effect>>>> {
        let effect = |event: &&Event| {
            let entry = ActiveModel {
                event_id: Set(event.id.clone()),
                community_id: Set(event.community_id.clone()),
                actor_id: Set(event.actor_id.clone()),
                ..ActiveModelTrait::default()
            };
            let happened = event.time.map(Timestamp::from);
            Ok(Some((entry, happened.unwrap_or_else(Timestamp::now))))
        };
        Ok(events.iter().map(effect).collect())
    }

    async fn apply(
        &self,
        transaction: &Transaction,
        effects: Vec<Self::Effect>,
    ) -> Checked<Vec<Timestamp>> {
        let (entries, happened): (Vec<_>, _) = effects.into_iter().unzip();
        let insert = Entity::insert_many(entries);
        let inserted = insert.exec_without_returning(transaction).await;
        inserted.map_err(failed)?;
        Ok(happened)
    }

    fn applied(&self, happened: Vec<Timestamp>) {
        self.0.saw(&happened);
    }
}

/// Writes down what messaging publishes, until standard input ends.
///
/// # Errors
/// When it cannot listen or has no database.
pub async fn serve(secret: &Path, database: &str, broker: &str) -> Result<()> {
    let secret = secret::load(secret)?;
    let shutdown = Shutdown::default();
    let recorder = Recorder::new()?;
    let storage = Storage::Postgres(PostgresServer::parse(database)?);
    let database = Database::open::<Tables>(&storage, NAME).await?;
    let scribe = EntryHandler(recorder.clone());
    let consumer = Consumer::new(
        NAME,
        database.clone(),
        scribe,
        Retention::default(),
        &shutdown,
    );
    let streams = JetStream::new(BusSettings {
        urls: vec![broker.to_owned()],
        tls_ca: None,
        service: NAME,
        stream_replicas: 1,
        stream_max_bytes: 1 << 30,
        keys: BrokerKeys::derive(&secret)?,
        retention: Retention::default(),
        listens_to: &[],
    });
    jetstream::consume(&consumer, &database, &["messaging"], &streams, &shutdown);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    child::ready(&[("http", format!("http://{}", listener.local_addr()?))]);
    child::until_told(async { axum::serve(listener, recorder.router()).await }).await?;
    Ok(())
}
