//! Looking into deliveries, recovering them, and trying a webhook out (contract: settlements,
//! "Outgoing webhooks").

use guildhall_data::DeliveryId;
use guildhall_proto::webhooks::v1::{
    Delivery, DeliveryStatus, EncryptionMode, EncryptionSpec, EventKind, GetDeliveryRequest,
    GetDeliveryResponse, OutgoingWebhookSpec, RecoverDeliveriesRequest, TestOutgoingWebhookRequest,
    TestOutgoingWebhookResponse,
};
use guildhall_runtime::{Error, Reason, Result, Timestamp};
use guildhall_testkit::receiver::{Answer, Receiver};
use guildhall_webhooks::domain::{AesKey, EventKinds, Mode};
use standardwebhooks::Webhook;

use crate::fixture::{Fixture, Replica, reason, signed, spec, timing};

const AES_KEY: &str = "0123456789abcdefghijklmnopqrstuv";

fn is(status: DeliveryStatus) -> impl Fn(&Delivery) -> bool {
    move |delivery| delivery.status() == status
}

async fn in_full(replica: &Replica, webhook: &str, delivery: &str) -> Result<GetDeliveryResponse> {
    let request = replica.signed(GetDeliveryRequest {
        webhook_id: webhook.into(),
        delivery_id: delivery.into(),
    });
    let found = replica.client().get_delivery(request).await;
    Ok(found?.into_inner())
}

async fn recover(replica: &Replica, webhook: &str, since: Timestamp) -> Result<i32> {
    let request = replica.signed(RecoverDeliveriesRequest {
        webhook_id: webhook.into(),
        since: Some(since.into()),
    });
    let recovered = replica.client().recover_deliveries(request).await;
    Ok(recovered?.into_inner().queued)
}

async fn test(replica: &Replica, webhook: &str, event: i32) -> Result<TestOutgoingWebhookResponse> {
    let request = replica.signed(TestOutgoingWebhookRequest {
        webhook_id: webhook.into(),
        event,
    });
    let tested = replica.client().test_outgoing_webhook(request).await;
    Ok(tested?.into_inner())
}

#[tokio::test]
async fn a_delivery_is_shown_with_what_was_sent_and_every_answer() {
    let (fixture, receiver) = (Fixture::new().await, Receiver::start().await);
    let replica = fixture.replica(timing(&[20, 20])).await;
    let made = replica.create(OutgoingWebhookSpec {
        api_key: "their key".into(),
        ..spec(receiver.url("hook"))
    });
    let id = made.await.unwrap().webhook.unwrap().id;
    receiver.answer([
        Answer::Status(500),
        Answer::RetryAfter(503, "0"),
        Answer::Body(5_000),
    ]);
    replica.hear(&[fixture.message("Hi")]).await;
    let calls = receiver.calls(3).await;
    let delivery = replica.newest(&id, is(DeliveryStatus::Success)).await;
    let shown = in_full(&replica, &id, &delivery.id).await.unwrap();
    assert_eq!(shown.delivery.as_ref(), Some(&delivery));
    assert_eq!(shown.body.as_bytes(), calls[2].body);

    let told: Vec<_> = shown
        .attempts
        .iter()
        .map(|it| (it.number, it.response_status, it.error.as_str()))
        .collect();
    let expected = [(1, 500, "status 500"), (2, 503, "status 503"), (3, 200, "")];
    assert_eq!(told, expected);
    let answers = shown.attempts.iter().map(|it| it.response_body.clone());
    let answers: Vec<_> = answers.collect();
    assert_eq!(
        answers,
        ["noted".to_owned(), String::new(), "x".repeat(1_000)]
    );
    let times = shown.attempts.iter();
    let times: Vec<_> = times.map(|it| Timestamp::from(it.time.unwrap())).collect();
    assert!(times.is_sorted() && times[0] > Timestamp::from_millis(0));

    // Each header as it was sent, but for the secrets.
    for header in &shown.headers {
        let sent = calls[2].header(&header.name);
        match header.name.as_str() {
            "webhook-signature" => assert_eq!(header.value, "v1,***"),
            "x-api-key" => assert_eq!(header.value, "***"),
            name => assert_eq!(header.value, sent, "{name}"),
        }
    }
    assert!(shown.headers.len() >= 9, "{:?}", shown.headers);
}

#[tokio::test]
async fn a_delivery_that_is_given_up_keeps_why_its_attempt_failed() {
    let (fixture, receiver) = (Fixture::new().await, Receiver::start().await);
    let replica = fixture.replica(timing(&[600_000])).await;
    let (id, _) = replica.webhook(receiver.url("hook")).await;
    receiver.answer([Answer::Status(500)]);
    replica.hear(&[fixture.message("Hi")]).await;
    replica.newest(&id, |delivery| delivery.attempts == 1).await;
    replica.enable(&id, false).await;
    let failed = replica.newest(&id, is(DeliveryStatus::Failed)).await;
    assert_eq!(failed.error, "the webhook is disabled");
    let shown = in_full(&replica, &id, &failed.id).await.unwrap();
    let errors = shown.attempts.iter().map(|attempt| attempt.error.as_str());
    assert_eq!(errors.collect::<Vec<_>>(), ["status 500"]);
}

#[tokio::test]
async fn what_failed_since_a_moment_is_delivered_again() {
    let (fixture, receiver) = (Fixture::new().await, Receiver::start().await);
    let replica = fixture.replica(timing(&[])).await;
    let (id, _) = replica.webhook(receiver.url("hook")).await;
    receiver.answer_always(Answer::Status(500));
    let fail = async |text: &str| {
        replica.hear(&[fixture.message(text)]).await;
        receiver.call().await;
        replica.newest(&id, is(DeliveryStatus::Failed)).await
    };
    let early = fail("early").await;
    let since = Timestamp::from(early.create_time.unwrap());
    let since = Timestamp::from_millis(since.as_millis() + 1);
    while Timestamp::now() <= since {
        tokio::task::yield_now().await;
    }
    fail("late").await;
    fail("later").await;

    receiver.answer_always(Answer::Status(200));
    assert_eq!(recover(&replica, &id, since).await.unwrap(), 2);
    for call in receiver.calls(2).await {
        assert_ne!(call.json()["message"]["text"], "early");
    }
    let delivered = async || {
        let all = replica.deliveries(&id).await;
        all.iter()
            .filter(|it| is(DeliveryStatus::Success)(it))
            .count()
    };
    while delivered().await < 2 {
        tokio::task::yield_now().await;
    }
    assert_eq!(recover(&replica, &id, since).await.unwrap(), 0);
    let before = Timestamp::from_millis(0);
    replica.enable(&id, false).await;
    let refused = recover(&replica, &id, before).await;
    assert_eq!(reason(refused), Reason::WrongState);
    replica.enable(&id, true).await;
    assert_eq!(recover(&replica, &id, before).await.unwrap(), 1);
    assert_eq!(receiver.call().await.json()["message"]["text"], "early");
}

#[tokio::test]
async fn what_waits_for_its_next_attempt_is_recovered_too() {
    let (fixture, receiver) = (Fixture::new().await, Receiver::start().await);
    let replica = fixture.replica(timing(&[600_000, 600_000])).await;
    let (id, _) = replica.webhook(receiver.url("hook")).await;
    receiver.answer([Answer::Status(500), Answer::Status(200)]);
    replica.hear(&[fixture.message("Hi")]).await;
    let waits = |it: &Delivery| it.attempts == 1 && is(DeliveryStatus::Pending)(it);
    replica.newest(&id, waits).await;
    receiver.call().await;
    let before = Timestamp::from_millis(0);
    assert_eq!(recover(&replica, &id, before).await.unwrap(), 1);
    receiver.call().await;
    let delivered = replica.newest(&id, is(DeliveryStatus::Success)).await;
    assert_eq!(delivered.attempts, 2);
    assert_eq!(
        recover(&replica, &id, before).await.unwrap(),
        0,
        "it was delivered"
    );
}

#[tokio::test]
async fn a_test_reaches_a_webhook_that_is_off_and_changes_nothing() {
    let (fixture, receiver) = (Fixture::new().await, Receiver::start().await);
    let replica = fixture.replica(timing(&[])).await;
    let made = replica.create(OutgoingWebhookSpec {
        enabled: Some(false),
        encryption: Some(EncryptionSpec {
            enabled: true,
            mode: EncryptionMode::Gcm.into(),
            key: AES_KEY.into(),
        }),
        ..spec(receiver.url("hook"))
    });
    let made = made.await.unwrap();
    let before = made.webhook.unwrap();
    for kind in EventKinds::from_bits(i32::MAX).iter() {
        let number =
            EventKind::from_str_name(&format!("EVENT_KIND_{}", kind.name().to_uppercase()));
        let tested = test(&replica, &before.id, number.unwrap().into())
            .await
            .unwrap();
        assert_eq!(
            (tested.response_status, tested.response_body.as_str()),
            (200, "noted")
        );
        assert_eq!(tested.error, "");
        let call = receiver.call().await;
        assert_eq!(call.header("webhook-id"), tested.event_id);
        assert_eq!(call.header("x-event"), kind.name());
        let verifier = Webhook::new(&made.secret).unwrap();
        verifier.verify(&call.body, &call.headers).unwrap();
        let key = AesKey::parse(AES_KEY).unwrap();
        let plain = key.decrypt(Mode::Gcm, &call.body).unwrap();
        let plain: serde_json::Value = serde_json::from_slice(&plain).unwrap();
        assert_eq!(plain["event"], kind.name());
        assert_eq!(plain["community"]["name"], "club");
    }
    for answer in [
        Answer::Status(410),
        Answer::Status(500),
        Answer::Redirect(receiver.url("elsewhere")),
    ] {
        receiver.answer([answer]);
        let tested = test(&replica, &before.id, 3).await.unwrap();
        assert!(!tested.error.is_empty() && tested.response_status != 200);
        receiver.call().await;
    }
    assert!(receiver.is_quiet().await, "a redirect was followed");
    assert_eq!(replica.get(&before.id).await, before);
    assert!(replica.deliveries(&before.id).await.is_empty());
    assert_eq!(
        reason(test(&replica, &before.id, 0).await),
        Reason::MissingField
    );
    assert_eq!(
        reason(test(&replica, &before.id, 99).await),
        Reason::InvalidValue
    );
}

#[tokio::test]
async fn a_test_goes_where_a_delivery_may_go_and_waits_as_long() {
    let (fixture, receiver) = (Fixture::new().await, Receiver::start().await);
    let careless = fixture.replica(timing(&[])).await;
    let (id, _) = careless.webhook(receiver.url("hook")).await;
    receiver.answer([Answer::Never]);
    let tested = test(&careless, &id, 3).await.unwrap();
    assert_eq!(
        (tested.response_status, tested.error.as_str()),
        (0, "no answer within 2s")
    );
    assert!(tested.duration_ms >= 1_900);
    receiver.call().await;

    let careful = fixture.replica_with(timing(&[]), false).await;
    let tested = test(&careful, &id, 3).await.unwrap();
    assert_eq!(tested.error, "the url is not one of the public internet");
    assert!(receiver.is_quiet().await);
}

#[tokio::test]
async fn another_community_cannot_look_recover_or_test() {
    let (fixture, receiver) = (Fixture::new().await, Receiver::start().await);
    let replica = fixture.replica(timing(&[])).await;
    let (id, _) = replica.webhook(receiver.url("hook")).await;
    let unknown = in_full(&replica, &id, &DeliveryId::generate().to_string()).await;
    assert_eq!(reason(unknown), Reason::DeliveryNotFound);
    let (theirs, mut client) = (&fixture.neighbour.api_key, replica.client());
    let (webhook_id, since) = (id.clone(), Some(Timestamp::from_millis(0).into()));
    let recover = signed(RecoverDeliveriesRequest { webhook_id, since }, theirs);
    let recovered = client
        .recover_deliveries(recover)
        .await
        .map_err(Error::from);
    assert_eq!(reason(recovered), Reason::WebhookNotFound);
    let (webhook_id, event) = (id.clone(), EventKind::MessagePosted.into());
    let test = signed(TestOutgoingWebhookRequest { webhook_id, event }, theirs);
    let tested = client
        .test_outgoing_webhook(test)
        .await
        .map_err(Error::from);
    assert_eq!(reason(tested), Reason::WebhookNotFound);
    let (webhook_id, delivery_id) = (id, DeliveryId::generate().to_string());
    let get = signed(
        GetDeliveryRequest {
            webhook_id,
            delivery_id,
        },
        theirs,
    );
    let found = client.get_delivery(get).await.map_err(Error::from);
    assert_eq!(reason(found), Reason::WebhookNotFound);
    assert!(receiver.is_quiet().await);
}
