//! Many receivers, many processes, and processes that die.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use guildhall_data::Database;
use guildhall_proto::webhooks::v1::DeliveryStatus;
use guildhall_runtime::Timestamp;
use guildhall_service::Running as _;
use guildhall_testkit::receiver::{Answer, Receiver};
use guildhall_webhooks::delivery::Timing;
use sea_orm::ConnectionTrait;

use crate::fixture::{Fixture, timing, webhook_id};

#[tokio::test]
async fn dead_endpoints_do_not_delay_a_healthy_one() {
    let fixture = Fixture::new().await;
    let (dead, healthy) = (Receiver::start().await, Receiver::start().await);
    let replica = fixture.replica(Timing {
        attempt: Duration::from_secs(10),
        lease: Duration::from_secs(20),
        ..timing(&[])
    });
    let replica = replica.await;
    dead.answer_always(Answer::Never);
    for number in 0..20 {
        replica.webhook(dead.url(&number.to_string())).await;
    }
    let messages: Vec<_> = (0..20).map(|n| fixture.message(&n.to_string())).collect();
    assert_eq!(replica.hear(&messages).await, 400);
    dead.calls(20).await;

    replica.webhook(healthy.url("hook")).await;
    let messages: Vec<_> = (0..100).map(|n| fixture.message(&n.to_string())).collect();
    let began = Instant::now();
    replica.hear(&messages).await;
    healthy.calls(100).await;
    let took = began.elapsed();
    assert!(took < Duration::from_secs(8), "{took:?}");
}

#[tokio::test]
async fn two_processes_deliver_each_event_once() {
    let (fixture, receiver) = (Fixture::new().await, Receiver::start().await);
    let replicas = [
        fixture.replica(timing(&[])).await,
        fixture.replica(timing(&[])).await,
    ];
    let (id, _) = replicas[0].webhook(receiver.url("hook")).await;
    let messages: Vec<_> = (0..300).map(|n| fixture.message(&n.to_string())).collect();
    for messages in messages.chunks(30) {
        replicas[0].hear(messages).await;
        let webhook = (fixture.community.community_id, webhook_id(&id));
        replicas[1].webhooks.wake([webhook]);
    }
    let calls = receiver.calls(300).await;
    let ids: HashSet<_> = calls.iter().map(|call| call.header("webhook-id")).collect();
    assert_eq!(ids.len(), 300);
    let delivered = |delivery: &_| status(delivery) == DeliveryStatus::Success;
    replicas[1].newest(&id, delivered).await;
    assert!(receiver.is_quiet().await);
}

#[tokio::test]
async fn who_is_made_or_changed_elsewhere_is_told_of_the_next_event() {
    let (fixture, receiver) = (Fixture::new().await, Receiver::start().await);
    let [hearing, other] = [
        fixture.replica(timing(&[])).await,
        fixture.replica(timing(&[])).await,
    ];
    // It has looked who wants to be told.
    assert_eq!(hearing.hear(&[fixture.message("Nobody is told")]).await, 0);
    other.webhook(receiver.url("hook")).await;
    assert_eq!(hearing.hear(&[fixture.message("One is")]).await, 1);
    receiver.call().await;
}

#[tokio::test]
async fn clocks_that_are_apart_cost_no_event() {
    let (fixture, receiver) = (Fixture::new().await, Receiver::start().await);
    let replica = fixture.replica(timing(&[])).await;
    replica.webhook(receiver.url("hook")).await;
    // The clock of whoever posts is behind; then ours is set back.
    let mut behind = fixture.message("Behind");
    let minute = Duration::from_secs(60);
    behind.time = Some(Timestamp::now().minus(minute).into());
    assert_eq!(replica.hear(&[behind]).await, 1);
    let ahead = "UPDATE outgoing_webhooks SET active_since = active_since + 86400000";
    let transaction = fixture.database.begin().await.unwrap();
    transaction.execute_unprepared(ahead).await.unwrap();
    Database::commit(transaction).await.unwrap();
    assert_eq!(replica.hear(&[fixture.message("Now")]).await, 1);
    // What happened well before is still not told.
    let mut before = fixture.message("Before");
    before.time = Some(Timestamp::now().minus(60 * minute).into());
    assert_eq!(replica.hear(&[before]).await, 0);
}

fn status(delivery: &guildhall_proto::webhooks::v1::Delivery) -> DeliveryStatus {
    delivery.status()
}

#[tokio::test]
async fn what_was_under_way_in_a_process_that_died_is_attempted_again() {
    let (fixture, receiver) = (Fixture::new().await, Receiver::start().await);
    let timing = Timing {
        attempt: Duration::from_secs(1),
        lease: Duration::from_secs(3),
        ..timing(&[])
    };
    receiver.answer([Answer::Never]);
    let survivor = fixture.replica(timing.clone()).await;
    let (id, _) = survivor.webhook(receiver.url("hook")).await;
    // It hears of the event, and dies in the middle of the attempt.
    let dying = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let patient = Timing {
        attempt: Duration::from_millis(2_500),
        ..timing
    };
    let (fixture, called) = (std::sync::Arc::new(fixture), std::sync::Arc::new(receiver));
    let heard = {
        let fixture = std::sync::Arc::clone(&fixture);
        dying.spawn(async move {
            let replica = fixture.replica(patient).await;
            let event = fixture.message("Hi");
            replica.hear(&[event]).await;
            std::mem::forget(replica);
        })
    };
    heard.await.unwrap();
    let first = called.call().await;
    dying.shutdown_background();
    let again = called.call().await;
    assert_eq!(again.header("webhook-id"), first.header("webhook-id"));
    let delivered = |delivery: &_| status(delivery) == DeliveryStatus::Success;
    survivor.newest(&id, delivered).await;
}

#[tokio::test]
async fn a_process_that_stops_ends_what_it_began() {
    let (fixture, receiver) = (Fixture::new().await, Receiver::start().await);
    let replica = fixture.replica(timing(&[])).await;
    let (id, _) = replica.webhook(receiver.url("hook")).await;
    receiver.answer_always(Answer::After(Duration::from_millis(500)));
    let messages: Vec<_> = (0..3).map(|n| fixture.message(&n.to_string())).collect();
    replica.hear(&messages).await;
    receiver.call().await;
    replica.shutdown.start();
    replica.webhooks.finished().await;
    let deliveries = replica.deliveries(&id).await;
    let counted = |wanted| deliveries.iter().filter(|d| d.status() == wanted).count();
    assert_eq!(counted(DeliveryStatus::Success), 1, "{deliveries:#?}");
    let waiting = deliveries.iter().filter(|d| d.next_attempt_time.is_some());
    assert_eq!(waiting.count(), 2, "the rest is left to others at once");
    assert!(receiver.is_quiet().await);
}
