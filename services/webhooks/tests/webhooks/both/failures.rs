//! Receivers that fail, stall and lie (contract: events, "Delivery").

use std::time::{Duration, Instant};

use guildhall_data::{Database, Tenant};
use guildhall_proto::webhooks::v1::{
    DeleteOutgoingWebhookRequest, Delivery, DeliveryStatus, DisabledReason, OutgoingWebhookSpec,
    UpdateOutgoingWebhookRequest,
};
use guildhall_runtime::Timestamp;
use guildhall_testkit::receiver::{Answer, Receiver};
use guildhall_webhooks::store::{deliveries, outgoing};
use sea_orm::entity::prelude::*;
use tokio::{io::AsyncWriteExt, net::TcpListener};

use crate::fixture::{Fixture, spec, timing, webhook_id};

fn is(status: DeliveryStatus) -> impl Fn(&Delivery) -> bool {
    move |delivery| delivery.status() == status
}

#[tokio::test]
async fn what_fails_is_attempted_again_with_the_same_id() {
    let (fixture, receiver) = (Fixture::new().await, Receiver::start().await);
    let replica = fixture.replica(timing(&[100, 100])).await;
    let (id, _) = replica.webhook(receiver.url("hook")).await;
    receiver.answer([
        Answer::Status(500),
        Answer::Redirect(receiver.url("elsewhere")),
    ]);
    replica.hear(&[fixture.message("Hi")]).await;
    let calls = receiver.calls(3).await;
    for call in &calls {
        assert_eq!(call.header("webhook-id"), calls[0].header("webhook-id"));
        assert_eq!(call.body, calls[0].body);
    }
    let delivered = replica.newest(&id, is(DeliveryStatus::Success)).await;
    assert_eq!(delivered.attempts, 3);
    let webhook = replica.get(&id).await;
    assert_eq!(webhook.consecutive_failures, 0);
    assert!(receiver.is_quiet().await, "a redirect was followed");
}

#[tokio::test]
async fn after_the_last_attempt_it_is_given_up() {
    let (fixture, receiver) = (Fixture::new().await, Receiver::start().await);
    let replica = fixture.replica(timing(&[50, 50])).await;
    let (id, _) = replica.webhook(receiver.url("hook")).await;
    receiver.answer_always(Answer::Status(404));
    replica.hear(&[fixture.message("Hi")]).await;
    receiver.calls(3).await;
    let failed = replica.newest(&id, is(DeliveryStatus::Failed)).await;
    assert_eq!((failed.attempts, failed.response_status), (3, 404));
    assert!(failed.next_attempt_time.is_none());
    assert_eq!(replica.get(&id).await.consecutive_failures, 3);
}

#[tokio::test]
async fn a_receiver_may_ask_for_time() {
    let (fixture, receiver) = (Fixture::new().await, Receiver::start().await);
    let replica = fixture.replica(timing(&[10])).await;
    let (id, _) = replica.webhook(receiver.url("hook")).await;
    receiver.answer([Answer::RetryAfter(503, "2")]);
    replica.hear(&[fixture.message("Hi")]).await;
    receiver.call().await;
    let asked_at = Instant::now();
    let waiting = replica.newest(&id, |delivery| delivery.attempts == 1).await;
    assert_eq!(waiting.status(), DeliveryStatus::Pending);
    receiver.call().await;
    assert!(asked_at.elapsed() > Duration::from_millis(1_800));
}

#[tokio::test]
async fn a_receiver_that_is_gone_is_told_nothing_more() {
    let (fixture, receiver) = (Fixture::new().await, Receiver::start().await);
    let replica = fixture.replica(timing(&[100, 100])).await;
    let (id, _) = replica.webhook(receiver.url("hook")).await;
    receiver.answer([Answer::Status(500), Answer::Status(410)]);
    replica.hear(&[fixture.message("Hi")]).await;
    receiver.calls(2).await;
    let off = replica.settled(&id, |webhook| !webhook.enabled).await;
    assert_eq!(off.disabled_reason(), DisabledReason::Gone);
    let email = replica.email().await;
    assert_eq!(email.headers["to"], "owner@club.example");
    assert!(email.headers["subject"].contains("CRM"), "{email:?}");
    assert!(email.text.contains("410"), "{email:?}");
    let failed = replica.newest(&id, is(DeliveryStatus::Failed)).await;
    assert_eq!(failed.response_status, 410);
    assert_eq!(replica.hear(&[fixture.message("unheard")]).await, 0);

    let on = replica.signed(UpdateOutgoingWebhookRequest {
        id: id.clone(),
        spec: Some(OutgoingWebhookSpec {
            enabled: Some(true),
            ..OutgoingWebhookSpec::default()
        }),
        update_mask: Some(prost_types::FieldMask {
            paths: vec!["enabled".into()],
        }),
        rotate_secret: false,
    });
    let on = replica.client().update_outgoing_webhook(on).await;
    let on = on.unwrap().into_inner().webhook.unwrap();
    assert_eq!((on.enabled, on.consecutive_failures), (true, 0));
    assert_eq!(on.disabled_reason(), DisabledReason::Unspecified);
    assert_eq!(replica.hear(&[fixture.message("heard")]).await, 1);
    assert_eq!(receiver.call().await.json()["message"]["text"], "heard");
}

#[tokio::test]
async fn five_days_without_a_success_disable() {
    let (fixture, receiver) = (Fixture::new().await, Receiver::start().await);
    let replica = fixture.replica(timing(&[100])).await;
    let (id, _) = replica.webhook(receiver.url("hook")).await;
    receiver.answer_always(Answer::Status(500));
    replica.hear(&[fixture.message("Hi")]).await;
    receiver.calls(2).await;
    replica
        .settled(&id, |webhook| webhook.consecutive_failures == 2)
        .await;

    let five_days_ago = Timestamp::now().minus(Duration::from_secs(5 * 24 * 3600 + 1));
    let transaction = fixture.database.begin().await.unwrap();
    outgoing::Entity::changing(fixture.community.community_id)
        .col_expr(
            outgoing::Column::FailingSince,
            Expr::val(five_days_ago.as_millis()),
        )
        .exec(&transaction)
        .await
        .unwrap();
    Database::commit(transaction).await.unwrap();
    replica.hear(&[fixture.message("the last")]).await;
    let off = replica.settled(&id, |webhook| !webhook.enabled).await;
    assert_eq!(off.disabled_reason(), DisabledReason::Failing);
    let failed = replica.newest(&id, is(DeliveryStatus::Failed)).await;
    assert_eq!(
        (failed.attempts, failed.error.as_str()),
        (1, "the webhook is disabled")
    );
}

#[tokio::test]
async fn ten_megabytes_of_answer_are_a_success_of_which_a_kibibyte_is_kept() {
    let (fixture, receiver) = (Fixture::new().await, Receiver::start().await);
    let replica = fixture.replica(timing(&[])).await;
    let (id, _) = replica.webhook(receiver.url("hook")).await;
    receiver.answer([Answer::Body(10 * 1024 * 1024)]);
    replica.hear(&[fixture.message("Hi")]).await;
    let delivered = replica.newest(&id, is(DeliveryStatus::Success)).await;
    let stored = deliveries::Entity::within(fixture.community.community_id)
        .filter(deliveries::Column::WebhookId.eq(webhook_id(&id)))
        .one(fixture.database.reader())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(stored.id.to_string(), delivered.id);
    assert_eq!(stored.response_body.unwrap().len(), 1000);
}

#[tokio::test]
async fn receivers_that_answer_without_an_end_cost_the_process_nothing() {
    let (fixture, receiver) = (Fixture::new().await, Receiver::start().await);
    let replica = fixture.replica(timing(&[])).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endless = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let interim = b"HTTP/1.1 103 Early Hints\r\n\r\n".repeat(1024);
            tokio::spawn(async move { while stream.write_all(&interim).await.is_ok() {} });
        }
    });
    let mut floods = Vec::new();
    for number in 0..8 {
        floods.push(replica.webhook(format!("{endless}/{number}")).await.0);
    }
    let (healthy, _) = replica.webhook(receiver.url("hook")).await;
    replica.hear(&[fixture.message("Hi")]).await;
    receiver.call().await;
    replica.newest(&healthy, is(DeliveryStatus::Success)).await;
    for flood in &floods {
        let failed = replica.newest(flood, is(DeliveryStatus::Failed)).await;
        assert!(failed.error.contains("too long"), "{failed:?}");
        assert!(failed.duration_ms < 1_500, "{failed:?}");
    }
}

#[tokio::test]
async fn a_receiver_that_never_answers_is_given_its_time() {
    let (fixture, receiver) = (Fixture::new().await, Receiver::start().await);
    let replica = fixture.replica(timing(&[])).await;
    let (id, _) = replica.webhook(receiver.url("hook")).await;
    receiver.answer([Answer::Never]);
    replica.hear(&[fixture.message("Hi")]).await;
    let failed = replica.newest(&id, is(DeliveryStatus::Failed)).await;
    assert_eq!(failed.error, "no answer within 2s");
    assert!((2_000..4_000).contains(&failed.duration_ms), "{failed:?}");
}

#[tokio::test]
async fn a_name_that_means_this_machine_is_refused() {
    let (fixture, receiver) = (Fixture::new().await, Receiver::start().await);
    // It was saved while private receivers were allowed.
    let url = format!("https://localhost:{}/hook", receiver.port());
    let careless = fixture.replica(timing(&[])).await;
    let (id, _) = careless.webhook(url.clone()).await;
    drop(careless);
    let replica = fixture.replica_with(timing(&[]), false).await;
    replica.hear(&[fixture.message("Hi")]).await;
    let failed = replica.newest(&id, is(DeliveryStatus::Failed)).await;
    assert_eq!(failed.error, "the url is not one of the public internet");
    for refused in [receiver.url("hook"), "https://127.0.0.1/hook".into(), url] {
        assert!(replica.create(spec(refused)).await.is_err());
    }
    assert!(receiver.is_quiet().await);
}

#[tokio::test]
async fn what_waits_for_a_webhook_is_dropped_with_it() {
    let (fixture, receiver) = (Fixture::new().await, Receiver::start().await);
    let replica = fixture.replica(timing(&[300])).await;
    let (id, _) = replica.webhook(receiver.url("hook")).await;
    receiver.answer([Answer::Status(500)]);
    replica.hear(&[fixture.message("Hi")]).await;
    replica.newest(&id, |delivery| delivery.attempts == 1).await;
    let delete = DeleteOutgoingWebhookRequest { id: id.clone() };
    let delete = replica.signed(delete);
    replica
        .client()
        .delete_outgoing_webhook(delete)
        .await
        .unwrap();
    receiver.call().await;
    let waiting = deliveries::Entity::within(fixture.community.community_id)
        .filter(deliveries::Column::NextAttemptAt.is_not_null());
    for _ in 0..100 {
        let waiting = waiting
            .clone()
            .all(fixture.database.reader())
            .await
            .unwrap();
        if waiting.is_empty() {
            assert!(receiver.is_quiet().await);
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("it still waits");
}

#[tokio::test]
async fn who_is_deleted_is_told_nothing_more_of_what_was_claimed() {
    let (fixture, receiver) = (Fixture::new().await, Receiver::start().await);
    let replicas = [
        fixture.replica(timing(&[])).await,
        fixture.replica(timing(&[])).await,
    ];
    receiver.answer_always(Answer::After(Duration::from_millis(1_200)));
    let (id, _) = replicas[0].webhook(receiver.url("hook")).await;
    let messages: Vec<_> = (0..4).map(|n| fixture.message(&n.to_string())).collect();
    replicas[0].hear(&messages).await;
    receiver.call().await;
    // Another process deletes it: nobody tells the one that delivers.
    let delete = DeleteOutgoingWebhookRequest { id };
    let delete = replicas[1].signed(delete);
    let mut client = replicas[1].client();
    client.delete_outgoing_webhook(delete).await.unwrap();
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    assert!(receiver.is_quiet().await);
}
