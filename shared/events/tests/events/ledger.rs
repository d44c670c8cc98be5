//! A service that publishes, and one that writes down what it hears of.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use guildhall_data::{CommunityId, Database, PostgresServer, Storage, Transaction};
use guildhall_events::{
    Consumer, Handler, Outbox, Retention,
    consumer::migration::CreateInbox,
    cursor::migration::CreateEventCursors,
    outbox::{self, NewEvent, migration::CreateOutbox},
};
use guildhall_proto::events::v1::{Event, ReactionAdded, event::Payload};
use guildhall_runtime::{Error, Reason, Result, Shutdown, Timestamp};
use guildhall_testkit::TestDatabase;
use prost::Message;
use sea_orm::{ConnectionTrait, Statement};
use sea_orm_migration::{MigrationTrait, MigratorTrait, async_trait as migration, prelude::*};
use tokio::{sync::watch, time::timeout};

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(60);
/// What no handler can handle.
pub const POISON: &str = "poison";

struct Publisher;

impl MigratorTrait for Publisher {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(CreateOutbox), Box::new(CreateEventCursors)]
    }
}

struct Subscriber;

impl MigratorTrait for Subscriber {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(CreateEventCursors),
            Box::new(CreateInbox),
            Box::new(CreateLedger),
        ]
    }
}

/// The effect: a row for each event, with nothing that keeps a second one out.
struct CreateLedger;

impl MigrationName for CreateLedger {
    fn name(&self) -> &str {
        "create_ledger"
    }
}

#[migration::async_trait]
impl MigrationTrait for CreateLedger {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table("ledger")
            .col(sea_orm_migration::schema::big_pk_auto("position"))
            .col(sea_orm_migration::schema::text("partition_key"))
            .col(sea_orm_migration::schema::text("what"))
            .to_owned();
        manager.create_table(table).await
    }
}

pub fn storage(home: &TestDatabase) -> Storage {
    home.open(Storage::files, |url| {
        Storage::Postgres(PostgresServer::parse(url).unwrap())
    })
}

/// What happened under each key, in its order.
pub type Pages = BTreeMap<String, Vec<String>>;

/// A service whose causes are nothing but their events.
#[derive(Clone)]
pub struct Source {
    pub database: Database,
    pub outbox: Outbox,
    pub community: CommunityId,
}

impl Source {
    pub async fn open(storage: &Storage) -> Self {
        let database = Database::open::<Publisher>(storage, "source")
            .await
            .unwrap();
        Self {
            outbox: Outbox::open(&database, "source"),
            community: CommunityId::generate(),
            database,
        }
    }

    pub async fn begin(&self) -> Transaction {
        self.database.begin().await.unwrap()
    }

    /// Writes events of a key in a transaction.
    pub async fn write(&self, transaction: &Transaction, key: &str, what: &[&str]) {
        self.try_write(transaction, key, what).await.unwrap();
    }

    /// The same where it may fail.
    pub async fn try_write(
        &self,
        transaction: &Transaction,
        key: &str,
        what: &[&str],
    ) -> Result<()> {
        let event = |what: &&str| NewEvent {
            community: self.community,
            actor: String::new(),
            partition_key: key.to_owned(),
            time: Timestamp::now(),
            traceparent: String::new(),
            payload: Payload::ReactionAdded(ReactionAdded {
                emoji: (*what).to_owned(),
                ..ReactionAdded::default()
            }),
        };
        let events = what.iter().map(event).collect();
        outbox::append(transaction, events).await
    }

    pub async fn commit(&self, transaction: Transaction) {
        Database::commit(transaction).await.unwrap();
        self.outbox.announce();
    }

    /// Events of a key, in one transaction.
    pub async fn post(&self, key: &str, what: &[&str]) {
        let transaction = self.begin().await;
        self.write(&transaction, key, what).await;
        self.commit(transaction).await;
    }

    /// Lets other processes take over at once, as if this one's leases had run out.
    pub async fn end_leases(&self) {
        end_leases(&self.database).await;
    }

    /// All that is in its outbox, by key: what was committed.
    pub async fn pages(&self) -> Pages {
        let rows = rows(
            &self.database,
            "SELECT payload FROM outbox WHERE position > 0 ORDER BY position",
        );
        let mut pages = Pages::new();
        for row in rows.await {
            let payload: Vec<u8> = row.try_get_by_index(0).unwrap();
            let event = Event::decode(payload.as_slice()).unwrap();
            let what = what(&event).unwrap().to_owned();
            pages.entry(event.partition_key).or_default().push(what);
        }
        pages
    }
}

fn what(event: &Event) -> Result<&str> {
    let Some(Payload::ReactionAdded(added)) = &event.payload else {
        return Err(Error::bug("not one of ours"));
    };
    Ok(&added.emoji)
}

/// A service that writes down what it hears of.
pub struct Ledger {
    pub database: Database,
    pub consumer: Consumer<EntryHandler>,
    /// How often it was told that effects are committed.
    changes: watch::Receiver<usize>,
    is_away: Arc<AtomicBool>,
    is_cured: Arc<AtomicBool>,
}

pub struct EntryHandler {
    changes: watch::Sender<usize>,
    then: fn(),
    is_away: Arc<AtomicBool>,
    is_cured: Arc<AtomicBool>,
}

#[async_trait]
impl Handler for EntryHandler {
    type Effect = (String, String);
    type Done = ();

    async fn prepare(&self, events: &[&Event]) -> Result<Vec<Result<Option<Self::Effect>>>> {
        if self.is_away.load(Ordering::Relaxed) {
            return Err(Error::unavailable(Reason::Unreachable, "away"));
        }
        let effect = |event: &&Event| {
            let what = what(event)?;
            if what == POISON && !self.is_cured.load(Ordering::Relaxed) {
                return Err(Error::bug("poison"));
            }
            Ok(Some((event.partition_key.clone(), what.to_owned())))
        };
        Ok(events.iter().map(effect).collect())
    }

    async fn apply(&self, transaction: &Transaction, effects: Vec<Self::Effect>) -> Result<()> {
        let backend = transaction.get_database_backend();
        let places = (0..effects.len()).map(|n| format!("(${}, ${})", 2 * n + 1, 2 * n + 2));
        let places = places.collect::<Vec<_>>().join(", ");
        let insert = format!("INSERT INTO ledger (partition_key, what) VALUES {places}");
        let values = effects.into_iter().flat_map(|(key, what)| [key, what]);
        let values: Vec<_> = values.map(Into::into).collect();
        let insert = Statement::from_sql_and_values(backend, insert, values);
        let done = transaction.execute_raw(insert).await;
        done.map(drop).map_err(guildhall_data::failed)
    }

    fn applied(&self, (): ()) {
        (self.then)();
        self.changes.send_modify(|times| *times += 1);
    }
}

impl Ledger {
    pub async fn open(storage: &Storage, shutdown: &Shutdown) -> Self {
        Self::open_and_then(storage, shutdown, || ()).await
    }

    /// One that does something when its effects are committed.
    pub async fn open_and_then(storage: &Storage, shutdown: &Shutdown, then: fn()) -> Self {
        let database = Database::open::<Subscriber>(storage, "ledger")
            .await
            .unwrap();
        let (sender, changes) = watch::channel(0);
        let (is_away, is_cured) = (Arc::default(), Arc::default());
        let handler = EntryHandler {
            changes: sender,
            then,
            is_away: Arc::clone(&is_away),
            is_cured: Arc::clone(&is_cured),
        };
        Self {
            consumer: Consumer::new(
                "ledger",
                database.clone(),
                handler,
                Retention::default(),
                shutdown,
            ),
            database,
            changes,
            is_away,
            is_cured,
        }
    }

    /// What it needs is away, or back.
    pub fn away(&self, is_away: bool) {
        self.is_away.store(is_away, Ordering::Relaxed);
    }

    /// From now on it can handle poison.
    pub fn cure(&self) {
        self.is_cured.store(true, Ordering::Relaxed);
    }

    /// How often it was told that its effects are committed.
    pub fn times_told(&self) -> usize {
        *self.changes.borrow()
    }

    /// All that it wrote down, by key.
    pub async fn pages(&self) -> Pages {
        let rows = rows(
            &self.database,
            "SELECT partition_key, what FROM ledger ORDER BY position",
        );
        let mut pages = Pages::new();
        for row in rows.await {
            let key: String = row.try_get_by_index(0).unwrap();
            pages
                .entry(key)
                .or_default()
                .push(row.try_get_by_index(1).unwrap());
        }
        pages
    }

    /// What it wrote down under a key.
    pub async fn page(&self, key: &str) -> Vec<String> {
        self.pages().await.remove(key).unwrap_or_default()
    }

    /// Waits until it has written down so many events, and answers them by key.
    pub async fn pages_of(&mut self, count: usize) -> Pages {
        let reached = async {
            loop {
                let pages = self.pages().await;
                if pages.values().map(Vec::len).sum::<usize>() >= count {
                    return pages;
                }
                // Another process on the same database tells this one nothing.
                let _ = timeout(Duration::from_millis(200), self.changes.changed()).await;
            }
        };
        let reached = timeout(LONG, reached).await;
        reached.expect("not everything has arrived")
    }
}

/// Lets other processes take over at once what is read for this database.
pub async fn end_leases(database: &Database) {
    run(database, "UPDATE event_cursors SET leased_until = 0").await;
}

pub async fn run(database: &Database, sql: &str) {
    let transaction = database.begin().await.unwrap();
    transaction.execute_unprepared(sql).await.unwrap();
    Database::commit(transaction).await.unwrap();
}

/// What a query finds; a connection that has died with its server is tried once more.
pub async fn rows(database: &Database, sql: &str) -> Vec<sea_orm::QueryResult> {
    let mut tries = 0;
    loop {
        let statement = Statement::from_string(database.backend().into(), sql);
        match database.reader().query_all_raw(statement).await {
            Ok(rows) => return rows,
            Err(error) if tries == 20 => panic!("{error}"),
            Err(_) => tries += 1,
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
