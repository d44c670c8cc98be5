//! Without the broker everything works but what it is there for: live streams, which say so.

use std::time::{Duration, Instant};

use futures::future::join_all;
use guildhall_catalog::MESSAGING;
use guildhall_proto::messaging::v1::{
    WatchMessagesRequest, WatchMessagesResponse, message_service_client::MessageServiceClient,
};
use guildhall_testkit::{
    Cluster, Plan, Replicas, Stack,
    grpc::{connect, signed},
};
use guildhall_tests::{
    Community, Ledger, OPERATIONS, bus,
    figures::Fate,
    outgoing,
    traffic::{EntryPoint, Room, Traffic, refusal},
};
use tokio::{sync::watch, task::JoinHandle, time::sleep};
use tonic::{Code, Status, Streaming};

/// How soon streams work after the broker is there.
const SOON: Duration = Duration::from_secs(10);
/// How soon open streams say that it is away; shorter breaks they bridge.
const NOTICED: Duration = Duration::from_secs(10);

/// How soon a process has noticed that it has lost the broker.
const LAPSED: Duration = Duration::from_secs(1);

async fn cluster(broker: bool) -> Cluster {
    Cluster::start_with(Plan {
        replicas: Replicas::with(&[(MESSAGING, 2)]),
        broker,
        ..Plan::default()
    })
    .await
}

/// A stream of a replica, of what comes after a message.
async fn stream(
    cluster: &Cluster,
    replica: usize,
    room: &Room,
    after: i64,
) -> Result<Streaming<WatchMessagesResponse>, Status> {
    let parameters = connect(cluster[MESSAGING][replica].url()).await;
    let request = WatchMessagesRequest {
        channel: room.channel.clone(),
        after_seq: Some(after),
    };
    let request = signed(request, &format!("Bearer {}", room.key));
    let mut messages = MessageServiceClient::new(parameters);
    Ok(messages.watch_messages(request).await?.into_inner())
}

/// Waits until a replica opens a stream again.
async fn stream_soon(
    cluster: &Cluster,
    replica: usize,
    room: &Room,
    after: i64,
) -> Streaming<WatchMessagesResponse> {
    let begin = Instant::now();
    loop {
        match stream(cluster, replica, room, after).await {
            Ok(stream) => return stream,
            Err(status) => expect_unheard(&status),
        }
        assert!(begin.elapsed() < SOON, "no stream at replica {replica}");
    }
}

/// The status of a stream that would not hear of new messages.
fn expect_unheard(status: &Status) {
    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
    assert!(matches!(refusal(status), Fate::Refused(_)), "{status:?}");
    assert!(
        status.message().contains("the broker cannot be reached"),
        "{status:?}"
    );
}

/// Somebody who watches until their stream ends.
struct Watcher {
    last: watch::Receiver<i64>,
    ended: JoinHandle<Status>,
}

impl Watcher {
    /// Reads the messages after one, each once and in order.
    fn begin(mut stream: Streaming<WatchMessagesResponse>, after: i64) -> Self {
        let (seen, last) = watch::channel(after);
        let ended = tokio::spawn(async move {
            loop {
                match stream.message().await {
                    Ok(next) => {
                        let seq = next.expect("a status").message.expect("a message").seq;
                        assert_eq!(seq, *seen.borrow() + 1, "each once, in order");
                        seen.send_replace(seq);
                    }
                    Err(status) => return status,
                }
            }
        });
        Self { last, ended }
    }

    /// Waits until it has come to a message.
    async fn reaches(&mut self, seq: i64) {
        let reached = self.last.wait_for(|last| *last >= seq);
        let reached = tokio::time::timeout(SOON, reached).await;
        reached
            .expect("the stream goes on")
            .expect("the stream does not end");
    }
}

async fn last_seq(cluster: &Cluster, room: &Room) -> i64 {
    let ledger = Ledger::of(cluster).await;
    let rows = ledger.rows.iter();
    let rows = rows.filter(|row| row.channel_id == room.channel);
    i64::try_from(rows.count()).unwrap()
}

#[tokio::test]
async fn a_broker_that_is_away_from_the_start_is_missed_by_streams_alone() {
    let mut community = Community::around(cluster(false).await).await;
    let Stack::Cluster(cluster) = &mut community.platform else {
        panic!("a cluster");
    };
    let ready = cluster.rest().get("/readyz").send().await;
    assert_eq!(ready.status, 200, "{}", ready.body);
    let room = Room::open(cluster).await;
    for replica in 0..2 {
        let begin = Instant::now();
        expect_unheard(&stream(cluster, replica, &room, 0).await.unwrap_err());
        assert!(begin.elapsed() < Duration::from_secs(3));
    }
    let mut traffic = Traffic::in_room(&room);
    traffic.sends("gateway", &EntryPoint::gateway(cluster, 0), 4);
    traffic.keyed_sends("gateway", &EntryPoint::gateway(cluster, 0), 4);
    traffic.reads("gateway", &EntryPoint::gateway(cluster, 0), 2);
    traffic.goes_on(200).await;

    cluster.nats.start_again().await;
    let started_at = Instant::now();
    let streams = join_all((0..2).map(|replica| stream_soon(cluster, replica, &room, 0))).await;
    let heard_in = started_at.elapsed();
    let mut watchers: Vec<_> = streams
        .into_iter()
        .map(|stream| Watcher::begin(stream, 0))
        .collect();
    traffic.goes_on(200).await;
    let records = traffic.end().await;
    let last = last_seq(cluster, &room).await;
    for watcher in &mut watchers {
        watcher.reaches(last).await;
    }
    let outcome = records.compare(&Ledger::of(cluster).await);
    println!(
        "no broker: {}; {outcome:?}; streams {heard_in:.1?} after it came",
        records.figures()
    );
    records.expect_no_surprise();
    assert_eq!(records.figures().refused, 0);
}

#[tokio::test]
async fn every_operation_works_without_a_broker() {
    let mut community = Community::around(cluster(false).await).await;
    community.make_records().await;
    let mut parameters = community.parameters();
    let (integrator, channel) = (
        community.integrator(),
        community.demo.channel("announcements"),
    );
    parameters.outgoing = outgoing::make(&integrator, "https://hooks.example/hook", channel).await;
    for operation in OPERATIONS.iter() {
        // A delivery comes of an event, which waits for the broker.
        if operation.path.contains("{delivery}") {
            continue;
        }
        let credential = community.credential(operation.kinds[0]);
        let answer = operation
            .make(&community.rest, &parameters, &credential)
            .await;
        let (id, success) = (operation.id, operation.success);
        assert_eq!(answer.status, success, "{id}: {}", answer.body);
    }
    println!("no broker: {} operations work", OPERATIONS.len());
}

#[tokio::test]
async fn a_broker_that_dies_is_bridged_or_missed_and_found_again() {
    let mut cluster = cluster(true).await;
    let room = Room::open(&cluster).await;
    let mut traffic = Traffic::in_room(&room);
    // Each replica's streams hear of what was sent through the other.
    traffic.sends("grpc", &EntryPoint::messaging(&cluster, 0).await, 4);
    traffic.sends("rest", &EntryPoint::gateway(&cluster, 0), 4);
    traffic.goes_on(100).await;
    let mut watchers = Vec::new();
    for replica in 0..2 {
        let stream = stream_soon(&cluster, replica, &room, 0).await;
        watchers.push(Watcher::begin(stream, 0));
    }

    for _ in 0..3 {
        cluster.nats.kill9().await;
        cluster.nats.start_again().await;
        traffic.goes_on(100).await;
        let last = last_seq(&cluster, &room).await;
        for watcher in &mut watchers {
            watcher.reaches(last).await;
        }
        // For the next time, everybody is to be there again.
        sleep(LAPSED).await;
        bus::is_whole(&cluster).await;
    }

    cluster.nats.kill9().await;
    let killed_at = Instant::now();
    let mut seen = Vec::new();
    let mut ended_in = Duration::ZERO;
    for watcher in watchers {
        let ended = tokio::time::timeout(NOTICED, watcher.ended).await;
        expect_unheard(&ended.expect("it says so").unwrap());
        ended_in = ended_in.max(killed_at.elapsed());
        seen.push(*watcher.last.borrow());
    }
    traffic.goes_on(200).await;
    cluster.nats.start_again().await;
    let started_at = Instant::now();
    let mut watchers = Vec::new();
    for (replica, last) in seen.into_iter().enumerate() {
        let stream = stream_soon(&cluster, replica, &room, last).await;
        watchers.push(Watcher::begin(stream, last));
    }
    let heard_in = started_at.elapsed();
    traffic.goes_on(100).await;
    let records = traffic.end().await;
    let last = last_seq(&cluster, &room).await;
    for watcher in &mut watchers {
        watcher.reaches(last).await;
    }
    let outcome = records.compare(&Ledger::of(&cluster).await);
    println!(
        "the broker killed 4 times, bridged 3 times: {}; {outcome:?}; streams ended after \
         {ended_in:.1?} and worked {heard_in:.1?} after it came back",
        records.figures()
    );
    records.expect_no_surprise();
    assert_eq!(records.figures().refused, 0, "sends need no broker");
}
