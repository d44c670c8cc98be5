//! A source and a ledger on a PostgreSQL server, and a NATS server between them.

use std::{collections::HashSet, net::SocketAddr, time::Duration};

use async_nats::jetstream::{
    self,
    consumer::{Consumer, pull},
    stream,
};
use futures::StreamExt;
use guildhall_data::{PostgresServer, Storage};
use guildhall_events::{
    BrokerKeys, BusSettings, Retention,
    jetstream::{JetStream, consume, publish},
};
use guildhall_proto::events::v1::{Event, EventBatch};
use guildhall_runtime::Shutdown;
use guildhall_testkit::{Nats, Postgres};
use prost::Message;
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};

use crate::{
    ledger::{Ledger, Source, rows},
    load::{Told, expect_handled},
};

/// How long anything may take here.
const TIMEOUT: Duration = Duration::from_secs(60);
const STREAM: &str = "guildhall_events_source";

/// What lies on PostgreSQL, as a process is told.
pub fn storage(url: &str) -> Storage {
    Storage::Postgres(PostgresServer::parse(url).unwrap())
}

/// The streams of a broker.
pub fn streams(url: &str) -> JetStream {
    JetStream::new(BusSettings {
        urls: vec![url.to_owned()],
        tls_ca: None,
        stream_replicas: 1,
        stream_max_bytes: 1 << 30,
        keys: BrokerKeys::derive(b"secret").unwrap(),
        retention: Retention::default(),
        service: "test",
        listens_to: &[],
    })
}

/// Nobody passes events on in it, and nobody handles them, until told to.
pub struct Pipeline {
    pub postgres: Postgres,
    pub nats: Nats,
    pub source: Source,
    pub ledger: Ledger,
}

impl Pipeline {
    pub async fn new() -> Self {
        let (postgres, nats) = tokio::join!(Postgres::start(), Nats::start());
        let storage = storage(&postgres.url("test"));
        Self {
            source: Source::open(&storage).await,
            ledger: Ledger::open(&storage, &Shutdown::default()).await,
            postgres,
            nats,
        }
    }

    pub fn publish(&self) {
        let streams = streams(&self.nats.url());
        publish(&self.source.outbox, &streams, &Shutdown::default());
    }

    pub fn consume(&self) {
        self.consume_with(&self.ledger);
    }

    /// Has another ledger on the same database handle the events.
    pub fn consume_with(&self, ledger: &Ledger) {
        let streams = streams(&self.nats.url());
        let (consumer, database) = (&ledger.consumer, &ledger.database);
        consume(
            consumer,
            database,
            &["source"],
            &streams,
            &Shutdown::default(),
        );
    }

    /// The source as another process has it, over a network of its own.
    pub async fn source_through(&self, proxy: SocketAddr) -> Source {
        Source::open(&storage(&self.postgres.url_through(proxy, "test"))).await
    }

    /// The same of the ledger.
    pub async fn ledger_through(&self, proxy: SocketAddr) -> Ledger {
        let storage = storage(&self.postgres.url_through(proxy, "test"));
        Ledger::open(&storage, &Shutdown::default()).await
    }

    /// What was committed is handled once, in its order; also when nothing is under way any more.
    pub async fn expect_handled(&mut self, told: &Told) {
        expect_handled(&mut self.ledger, &self.source, told).await;
        self.is_quiet().await;
        expect_handled(&mut self.ledger, &self.source, told).await;
    }

    /// Waits until all is passed on and remembered, and all of the stream is acknowledged.
    async fn is_quiet(&self) {
        let quiet = async {
            while !self.is_remembered().await {
                sleep(Duration::from_millis(100)).await;
            }
            let mut consumer = consumer(&self.nats).await;
            loop {
                let info = consumer.info().await.unwrap();
                if info.num_pending == 0 && info.num_ack_pending == 0 {
                    return;
                }
                sleep(Duration::from_millis(50)).await;
            }
        };
        let quiet = timeout(TIMEOUT, quiet).await;
        quiet.expect("something is under way for ever");
    }

    async fn is_remembered(&self) -> bool {
        let behind = "SELECT 1 FROM event_cursors WHERE reader = 'nats' \
                      AND position < (SELECT max(position) FROM outbox)";
        rows(&self.source.database, behind).await.is_empty()
    }
}

/// A client that knows the broker's password, as somebody does who got into the network.
pub async fn client(nats: &Nats) -> async_nats::Client {
    let (user, password) = nats.login();
    let options = async_nats::ConnectOptions::with_user_and_password(user.into(), password.into());
    options.connect(nats.address().to_string()).await.unwrap()
}

/// The source's stream.
pub async fn stream(nats: &Nats) -> stream::Stream {
    let client = client(nats).await;
    jetstream::new(client).get_stream(STREAM).await.unwrap()
}

/// The ledger's consumer of it.
pub async fn consumer(nats: &Nats) -> Consumer<pull::Config> {
    stream(nats).await.get_consumer("ledger").await.unwrap()
}

/// Hears what a relay says to the stream, at the moment it does.
pub struct StreamObserver(watch::Receiver<Heard>);

#[derive(Debug, Default)]
struct Heard {
    ids: HashSet<String>,
    all: usize,
}

impl StreamObserver {
    pub async fn new(nats: &Nats) -> Self {
        let client = client(nats).await;
        let messages = client.subscribe("guildhall.events.v1.source.*").await;
        let mut messages = messages.unwrap();
        // Heard from here on.
        client.flush().await.unwrap();
        let (sender, heard) = watch::channel(Heard::default());
        tokio::spawn(async move {
            let _client = client;
            while let Some(message) = messages.next().await {
                let batch = EventBatch::decode(message.payload).unwrap();
                let events = batch.events.iter();
                let ids = events.map(|event| Event::decode(event.as_slice()).unwrap().id);
                sender.send_modify(|heard| {
                    heard.all += batch.events.len();
                    heard.ids.extend(ids);
                });
            }
        });
        Self(heard)
    }

    /// How many different events were passed on.
    pub fn events(&self) -> usize {
        self.0.borrow().ids.len()
    }

    /// How many of them were passed on again.
    pub fn again(&self) -> usize {
        let heard = self.0.borrow();
        heard.all - heard.ids.len()
    }

    /// Waits until so many more events are passed on.
    pub async fn goes_on(&mut self, events: usize) {
        self.reaches(self.events() + events).await;
    }

    /// Waits until so many different events were passed on.
    pub async fn reaches(&mut self, events: usize) {
        let reached = self.0.wait_for(|heard| heard.ids.len() >= events);
        let reached = timeout(TIMEOUT, reached).await;
        reached.expect("nothing is passed on").unwrap();
    }
}
