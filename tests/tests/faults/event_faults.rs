//! What happens in a community reaches a receiver whatever becomes of the broker meanwhile: it is
//! stopped, loses all that it has stored, or stands still, under load.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    time::Duration,
};

use guildhall_testkit::{Cluster, Plan, Stack, receiver::Receiver};
use guildhall_tests::{Community, Ledger, Outcome, Writers, ledger::Row};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

const WRITERS: usize = 8;
/// Messages that are acknowledged while the broker is away, and before and after.
const MESSAGES: usize = 150;
/// How long the broker stands still: longer than anybody waits for its answer.
const STILL: Duration = Duration::from_secs(6);
/// How long everything may take to arrive, once the broker is back.
const TIMEOUT: Duration = Duration::from_secs(60);

/// A delivery as it is queued.
struct Delivery {
    /// The event's id, which the receiver sees as `webhook-id`.
    event: String,
    message: String,
    created_at: i64,
}

async fn community() -> Community {
    let plan = Plan {
        private_receivers: true,
        ..Plan::default()
    };
    Community::around(Cluster::start_with(plan).await).await
}

fn cluster(community: &mut Community) -> &mut Cluster {
    let Stack::Cluster(cluster) = &mut community.platform else {
        panic!("a cluster");
    };
    cluster
}

/// Two channels that nobody else writes to.
async fn two_channels(community: &Community) -> Vec<String> {
    let mut channels = Vec::new();
    for topic in ["First", "Second"] {
        let body = json!({ "topic": topic, "channelType": "open" });
        let made = community
            .system()
            .post("/v1/channels", &body)
            .await
            .expect(200);
        channels.push(made["body"]["_id"].as_str().unwrap().to_owned());
    }
    channels
}

/// A webhook that is told of what is posted to these channels.
async fn webhook(community: &Community, receiver: &Receiver, channels: &[String]) -> String {
    let new = json!({
        "name": "Ours", "url": receiver.url("hook"), "events": ["channel_message_posted"],
        "channelIds": channels
    });
    let made = community
        .integrator()
        .post("/v1/webhooks/outgoing", &new)
        .await;
    made.expect(201)["data"]["_id"].as_str().unwrap().to_owned()
}

fn message_of(body: &Value) -> String {
    body["message"]["id"].as_str().unwrap().to_owned()
}

/// Waits until all of these messages have reached the receiver; the `webhook-id`s of each.
async fn received(receiver: &Receiver, wanted: &[Row]) -> HashMap<String, HashSet<String>> {
    let mut missing: HashSet<_> = wanted.iter().map(|row| row.id.clone()).collect();
    let mut received: HashMap<String, HashSet<String>> = HashMap::new();
    let all = async {
        while !missing.is_empty() {
            let call = receiver.call().await;
            let message = message_of(&call.json());
            missing.remove(&message);
            let id = call.header("webhook-id").to_owned();
            received.entry(message).or_default().insert(id);
        }
    };
    if timeout(TIMEOUT, all).await.is_err() {
        panic!("{} messages have not arrived", missing.len());
    }
    received
}

/// What is queued for the webhook, oldest first.
async fn deliveries(cluster: &Cluster, webhook: &str) -> Vec<Delivery> {
    let query = "SELECT event_id, body, created_at FROM deliveries WHERE webhook_id = $1 \
                 ORDER BY created_at";
    let rows = sqlx::query_as::<_, (String, String, i64)>(query).bind(webhook);
    let rows = rows.fetch_all(&cluster.database("webhooks")).await.unwrap();
    let delivery = |(event, body, created_at): (String, String, i64)| Delivery {
        event,
        message: message_of(&serde_json::from_str(&body).unwrap()),
        created_at,
    };
    rows.into_iter().map(delivery).collect()
}

/// One delivery for each message, and those of a channel in its order.
fn expect_queued_in_order(queued: &[Delivery], posted: &[Row]) {
    assert_eq!(queued.len(), posted.len(), "deliveries and messages");
    let rows: HashMap<_, _> = posted.iter().map(|row| (&row.id, row)).collect();
    let mut channels: BTreeMap<&str, Vec<(i64, i64)>> = BTreeMap::new();
    let mut events = HashSet::new();
    for delivery in queued {
        let row = rows[&delivery.message];
        let place = (row.seq, delivery.created_at);
        channels.entry(&row.channel_id).or_default().push(place);
        assert!(events.insert(&delivery.event), "{} twice", delivery.event);
    }
    for places in channels.values_mut() {
        places.sort_unstable();
        // Those of one batch are queued in the same moment.
        let in_order = places.is_sorted_by_key(|(_, created_at)| *created_at);
        assert!(in_order, "queued in another order: {places:?}");
    }
}

#[tokio::test]
async fn messages_reach_a_receiver_while_the_broker_is_stopped_wiped_and_stands_still() {
    let (mut community, receiver) = (community().await, Receiver::start().await);
    let channels = two_channels(&community).await;
    let webhook = webhook(&community, &receiver, &channels).await;
    let key = community.demo.api_key.clone();
    let mut writers = Writers::start(WRITERS, community.platform.http(), &key, &channels);
    writers.progress(MESSAGES).await;
    let cluster = cluster(&mut community);

    cluster.nats.stop().await;
    writers.progress(MESSAGES).await;
    cluster.nats.start_again().await;
    writers.progress(MESSAGES).await;

    cluster.nats.kill9().await;
    cluster.nats.wipe();
    writers.progress(MESSAGES).await;
    cluster.nats.start_again().await;
    writers.progress(MESSAGES).await;

    cluster.nats.pause().await;
    sleep(STILL).await;
    writers.progress(MESSAGES).await;
    cluster.nats.resume().await;
    writers.progress(MESSAGES).await;

    let (acknowledged, _) = writers.finish().await;
    let ledger = Ledger::of(cluster).await;
    let outcome = ledger.outcome(&channels, &acknowledged);
    assert_eq!(outcome, Outcome::CLEAN);
    ledger.assert_sound();
    let posted = ledger.rows.into_iter();
    let posted = posted.filter(|row| channels.contains(&row.channel_id));
    let posted: Vec<_> = posted.collect();

    let received = received(&receiver, &posted).await;
    let queued = deliveries(cluster, &webhook).await;
    expect_queued_in_order(&queued, &posted);
    for delivery in queued {
        let ids = &received[&delivery.message];
        assert_eq!(ids.iter().collect::<Vec<_>>(), [&delivery.event]);
    }
    println!(
        "{} messages, each delivered under one id",
        acknowledged.len()
    );
}
