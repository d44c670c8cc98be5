//! From the outbox to a consumer in another process, over a real NATS server.

use std::time::Duration;

use async_nats::{
    HeaderMap,
    jetstream::{self, message::StreamMessage},
};
use guildhall_data::EventId;
use guildhall_events::{
    BrokerKeys, BusSettings, Retention,
    jetstream::{JetStream, consume, publish},
};
use guildhall_proto::events::v1::{Event, EventBatch};
use guildhall_runtime::Shutdown;
use guildhall_testkit::{Nats, TestDatabase};
use prost::Message;
use tokio::time::sleep;

use crate::{
    ledger::{Ledger, Source, rows, storage},
    pipeline::{client, consumer},
};

struct Pipeline {
    _home: TestDatabase,
    nats: Nats,
    stream_max_bytes: i64,
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
            stream_max_bytes: 1 << 30,
            _home: home,
        }
    }

    fn streams(&self) -> JetStream {
        JetStream::new(BusSettings {
            urls: vec![self.nats.url()],
            tls_ca: None,
            stream_replicas: 1,
            stream_max_bytes: self.stream_max_bytes,
            keys: BrokerKeys::derive(b"secret").unwrap(),
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
        jetstream::new(client(&self.nats).await)
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

/// The subject of a partition of the source.
const SUBJECT: &str = "guildhall.events.v1.source";

/// A batch as the source publishes it, of an event under a key that nobody posted to.
fn forged(raw: &StreamMessage) -> Vec<u8> {
    let batch = EventBatch::decode(raw.payload.clone()).unwrap();
    let mut event = Event::decode(batch.events[0].as_slice()).unwrap();
    event.id = EventId::generate().to_string();
    event.partition_key = "mallory".into();
    let events = vec![event.encode_to_vec()];
    EventBatch { events }.encode_to_vec()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_platform_has_not_signed_is_dropped_and_does_not_come_again() {
    let mut pipeline = Pipeline::new().await;
    pipeline.post(0..1).await;
    pipeline.has_all(1).await;
    let (context, stranger) = (pipeline.context().await, client(&pipeline.nats).await);
    let first = raw(&context, 1).await.unwrap();
    let signed = || first.headers.clone();
    let mut unsigned = signed();
    unsigned.insert("Guildhall-Signature", "");
    let mut renamed = signed();
    renamed.insert("Nats-Msg-Id", "another");
    let (payload, forged) = (first.payload.clone(), forged(&first));
    let messages = [
        (format!("{SUBJECT}.0"), HeaderMap::new(), forged.clone()),
        (format!("{SUBJECT}.0"), unsigned, forged.clone()),
        (first.subject.to_string(), signed(), forged),
        (first.subject.to_string(), renamed, payload.to_vec()),
        // Signed, but for another partition.
        (format!("{SUBJECT}.99"), signed(), payload.to_vec()),
        (
            format!("{SUBJECT}.0"),
            HeaderMap::new(),
            b"no batch".to_vec(),
        ),
    ];
    for (subject, headers, payload) in messages {
        let sent = stranger.publish_with_headers(subject, headers, payload.into());
        sent.await.unwrap();
    }
    stranger.flush().await.unwrap();
    pipeline.post(1..2).await;
    pipeline.has_all(2).await;
    let mut consumer = consumer(&pipeline.nats).await;
    let info = loop {
        let info = consumer.info().await.unwrap();
        if info.num_pending == 0 && info.num_ack_pending == 0 {
            break info;
        }
        sleep(Duration::from_millis(50)).await;
    };
    assert_eq!(info.num_redelivered, 0);
    pipeline.has_all(2).await;
}

/// The least that a stream may take.
const SMALL: i64 = 1 << 20;

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_full_loses_nothing_and_goes_on_once_it_is_read() {
    let mut pipeline = Pipeline::quiet().await;
    pipeline.stream_max_bytes = SMALL;
    let streams = pipeline.streams();
    publish(&pipeline.source.outbox, &streams, &Shutdown::default());
    let long = |number: usize| format!("{number} {}", "x".repeat(20_000));
    let all: Vec<_> = (0..200).map(long).collect();
    for some in all.chunks(20) {
        let some: Vec<_> = some.iter().map(String::as_str).collect();
        pipeline.source.post("ann", &some).await;
    }
    let context = pipeline.context().await;
    let bytes = async || {
        let stream = context.get_stream("guildhall_events_source").await;
        stream.map_or(0, |stream| stream.cached_info().state.bytes)
    };
    while bytes().await < u64::try_from(SMALL).unwrap() * 2 / 3 {
        sleep(Duration::from_millis(50)).await;
    }
    // Nobody reads: what does not fit waits, in its order.
    let services = &["source"];
    let (ledger, never) = (&pipeline.ledger, Shutdown::default());
    consume(
        &ledger.consumer,
        &ledger.database,
        services,
        &streams,
        &never,
    );
    let pages = pipeline.ledger.pages_of(all.len()).await;
    assert_eq!(pages["ann"], all);
    assert!(bytes().await <= u64::try_from(SMALL).unwrap());
}
