//! From the outbox to a consumer in another process, over a real NATS server.

use std::time::Duration;

use async_nats::jetstream::{self, message::StreamMessage};
use guildhall_events::{
    BusSettings, Retention,
    jetstream::{JetStream, consume, publish},
};
use guildhall_proto::events::v1::EventBatch;
use guildhall_runtime::Shutdown;
use guildhall_testkit::{Nats, TestDatabase};
use prost::Message;
use tokio::time::sleep;

use crate::ledger::{Ledger, Source, rows, storage};

struct Pipeline {
    _home: TestDatabase,
    nats: Nats,
    source: Source,
    ledger: Ledger,
}

impl Pipeline {
    async fn new() -> Self {
        let pipeline = Self::quiet().await;
        pipeline.start(&Shutdown::default(), &Shutdown::default());
        pipeline
    }

    async fn quiet() -> Self {
        let home = TestDatabase::new().await;
        let storage = storage(&home);
        Self {
            source: Source::open(&storage).await,
            ledger: Ledger::open(&storage, &Shutdown::default()).await,
            nats: Nats::start().await,
            _home: home,
        }
    }

    fn streams(&self) -> JetStream {
        JetStream::new(BusSettings {
            urls: vec![self.nats.url()],
            tls_ca: None,
            stream_replicas: 1,
            retention: Retention::default(),
            service: "test",
            listens_to: &[],
        })
    }

    fn start(&self, publisher: &Shutdown, consumer: &Shutdown) {
        let streams = self.streams();
        publish(&self.source.outbox, &streams, publisher);
        consume(
            &self.ledger.consumer,
            &self.ledger.database,
            &["source"],
            &streams,
            consumer,
        );
    }

    async fn context(&self) -> jetstream::Context {
        jetstream::new(async_nats::connect(self.nats.url()).await.unwrap())
    }

    async fn post(&self, range: std::ops::Range<usize>) {
        for number in range {
            for key in ["ann", "bob"] {
                self.source.post(key, &[&number.to_string()]).await;
            }
        }
    }

    /// Everything up to `count` of each key has arrived once, in its order.
    async fn has_all(&mut self, count: usize) {
        let pages = self.ledger.pages_of(count * 2).await;
        let wanted: Vec<_> = (0..count).map(|number| number.to_string()).collect();
        for page in pages.values() {
            assert_eq!(*page, wanted);
        }
        assert_eq!(pages.len(), 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn events_cross_processes_once_and_in_order() {
    let mut pipeline = Pipeline::new().await;
    pipeline.post(0..100).await;
    pipeline.has_all(100).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_travels_alone_has_its_own_id_on_the_way() {
    let mut pipeline = Pipeline::new().await;
    pipeline.source.post("ann", &["0"]).await;
    pipeline.ledger.pages_of(1).await;
    let message = raw(&pipeline.context().await, 1).await.unwrap();
    let first = rows(
        &pipeline.source.database,
        "SELECT event_id FROM outbox ORDER BY position LIMIT 1",
    );
    let first: String = first.await[0].try_get_by_index(0).unwrap();
    assert_eq!(message.headers.get("Nats-Msg-Id").unwrap().as_str(), first);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_lost_is_filled_again() {
    let mut pipeline = Pipeline::new().await;
    pipeline.post(0..20).await;
    pipeline.has_all(20).await;
    let context = pipeline.context().await;
    context
        .delete_stream("guildhall_events_source")
        .await
        .unwrap();
    pipeline.post(20..40).await;
    pipeline.has_all(40).await;
    while events_in(&context).await < 80 {
        sleep(Duration::from_millis(50)).await;
    }
}

async fn raw(context: &jetstream::Context, sequence: u64) -> Option<StreamMessage> {
    let stream = context.get_stream("guildhall_events_source").await.ok()?;
    stream.get_raw_message(sequence).await.ok()
}

/// All that lies in the stream.
async fn events_in(context: &jetstream::Context) -> usize {
    let mut events = 0;
    for sequence in 1.. {
        let Some(message) = raw(context, sequence).await else {
            break;
        };
        events += EventBatch::decode(message.payload).unwrap().events.len();
    }
    events
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_while_the_broker_is_killed_again_and_again() {
    let mut pipeline = Pipeline::new().await;
    for round in 0..5 {
        pipeline.post(round * 20..round * 20 + 10).await;
        pipeline.nats.kill9().await;
        pipeline.post(round * 20 + 10..(round + 1) * 20).await;
        pipeline.nats.start_again().await;
    }
    pipeline.has_all(100).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_stands_still_is_waited_for() {
    let mut pipeline = Pipeline::new().await;
    pipeline.post(0..10).await;
    pipeline.nats.pause().await;
    pipeline.post(10..30).await;
    sleep(Duration::from_secs(6)).await;
    pipeline.nats.resume().await;
    pipeline.has_all(30).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_takes_over_goes_on_where_the_other_ended() {
    let mut pipeline = Pipeline::quiet().await;
    let (publisher, consumer) = (Shutdown::default(), Shutdown::default());
    pipeline.start(&publisher, &consumer);
    pipeline.post(0..10).await;
    pipeline.has_all(10).await;
    let next = (Shutdown::default(), Shutdown::default());
    pipeline.start(&next.0, &next.1);
    publisher.start();
    consumer.start();
    pipeline.post(10..20).await;
    pipeline.has_all(20).await;
}
