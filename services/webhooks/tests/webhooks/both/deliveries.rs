//! What receivers get (contract: events, part 1).

use std::time::Duration;

use guildhall_data::ChannelId;
use guildhall_proto::{
    events::v1::Event,
    messaging::v1::ChannelType,
    webhooks::v1::{
        DeliveryStatus, EncryptionMode, EncryptionSpec, EventKind, GetOutgoingWebhookRequest,
        ListDeliveriesRequest, OutgoingWebhookSpec, RedeliverDeliveryRequest,
        UpdateOutgoingWebhookRequest,
    },
};
use guildhall_runtime::{Reason, Timestamp};
use guildhall_testkit::receiver::{Answer, Receiver};
use guildhall_webhooks::domain::{AesKey, Mode, subscription::CLOCKS};
use serde_json::json;
use standardwebhooks::Webhook;

use crate::fixture::{Fixture, reason, signed, spec, timing};

const AES_KEY: &str = "0123456789abcdefghijklmnopqrstuv";

#[tokio::test]
async fn a_message_arrives_signed_with_all_its_headers() {
    let (fixture, receiver) = (Fixture::new().await, Receiver::start().await);
    let replica = fixture.replica(timing(&[])).await;
    let made = replica.create(OutgoingWebhookSpec {
        api_key: "their key".into(),
        ..spec(receiver.url("hook"))
    });
    let made = made.await.unwrap();
    assert_eq!(replica.hear(&[fixture.message("Hi")]).await, 1);

    let call = receiver.call().await;
    let library = Webhook::new(&made.secret).unwrap();
    library.verify(&call.body, &call.headers).unwrap();
    let body = call.json();
    assert_eq!(body["message"]["text"], "Hi");
    assert_eq!(body["community"]["name"], "club");
    assert_eq!(body["user"]["email"], "owner@club.example");
    assert_eq!(body["user"]["user_id"], "1");
    assert_eq!(
        call.header("content-type"),
        "application/json; charset=utf-8"
    );
    assert_eq!(call.header("x-event"), "message_posted");
    assert_eq!(body["event"], "message_posted");
    assert_eq!(json!(call.header("x-event-id")), body["event_id"]);
    assert_eq!(json!(call.header("webhook-id")), body["event_id"]);
    assert_eq!(json!(call.header("x-event-timestamp")), body["timestamp"]);
    assert_eq!(call.header("x-api-key"), "their key");
    assert!(!call.headers.contains_key("x-encrypted"));

    let id = made.webhook.unwrap().id;
    let delivered = replica
        .newest(&id, |delivery| delivery.status() == DeliveryStatus::Success)
        .await;
    assert_eq!((delivered.attempts, delivered.response_status), (1, 200));
    assert_eq!(delivered.event(), EventKind::MessagePosted);
    assert_eq!(json!(delivered.event_id), body["event_id"]);
    assert!(delivered.error.is_empty() && delivered.next_attempt_time.is_none());
}

#[tokio::test]
async fn an_encrypted_body_is_signed_as_it_was_sent() {
    let (fixture, receiver) = (Fixture::new().await, Receiver::start().await);
    let replica = fixture.replica(timing(&[])).await;
    for (mode, name) in [
        (Mode::Gcm, EncryptionMode::Gcm),
        (Mode::Cbc, EncryptionMode::Cbc),
    ] {
        let made = replica.create(OutgoingWebhookSpec {
            encryption: Some(EncryptionSpec {
                enabled: true,
                mode: name.into(),
                key: AES_KEY.into(),
            }),
            ..spec(receiver.url(name.as_str_name()))
        });
        let made = made.await.unwrap();
        replica.hear(&[fixture.message("secret")]).await;
        let calls = match mode {
            Mode::Gcm => receiver.calls(1).await,
            Mode::Cbc => receiver.calls(2).await,
        };
        let key = AesKey::parse(AES_KEY).unwrap();
        let plain = calls.iter().find_map(|call| {
            Webhook::new(&made.secret)
                .unwrap()
                .verify(&call.body, &call.headers)
                .ok()?;
            assert_eq!(call.header("x-encrypted"), "true");
            key.decrypt(mode, &call.body)
        });
        let plain: serde_json::Value = serde_json::from_slice(&plain.unwrap()).unwrap();
        assert_eq!(plain["message"]["text"], "secret");
    }
}

#[tokio::test]
async fn a_secret_goes_on_signing_however_often_it_is_rotated() {
    let (fixture, receiver) = (Fixture::new().await, Receiver::start().await);
    let replica = fixture.replica(timing(&[])).await;
    let (id, first) = replica.webhook(receiver.url("hook")).await;
    let rotate = async || {
        let rotated = replica.signed(UpdateOutgoingWebhookRequest {
            id: id.clone(),
            rotate_secret: true,
            ..UpdateOutgoingWebhookRequest::default()
        });
        let rotated = replica.client().update_outgoing_webhook(rotated).await;
        rotated.map(|rotated| rotated.into_inner().secret)
    };
    let mut secrets = vec![first];
    for signatures in 2..=5 {
        secrets.push(rotate().await.unwrap());
        replica.hear(&[fixture.message("Hi")]).await;
        let call = receiver.call().await;
        for secret in &secrets {
            let library = Webhook::new(secret).unwrap();
            library.verify(&call.body, &call.headers).unwrap();
        }
        let signed = call.header("webhook-signature").split(' ').count();
        assert_eq!(signed, signatures);
    }
    assert_eq!(reason(rotate().await), Reason::WrongState);
}

#[tokio::test]
async fn what_is_private_or_not_chosen_is_told_to_nobody() {
    let (fixture, receiver) = (Fixture::new().await, Receiver::start().await);
    let replica = fixture.replica(timing(&[])).await;
    let chosen = ChannelId::generate();
    // Longer ago than the clocks of two hosts may be apart.
    let now = Timestamp::now().as_millis();
    let long_ago = Timestamp::from_millis(now - 2_000 * CLOCKS.as_secs().cast_signed());
    let before = Event {
        time: Some(long_ago.into()),
        ..fixture.message_in(chosen, ChannelType::Forum, "before it was made")
    };
    let made = replica.create(OutgoingWebhookSpec {
        events: vec![4],
        channel_ids: vec![chosen.to_string()],
        ..spec(receiver.url("hook"))
    });
    made.await.unwrap();
    let events = [
        before,
        fixture.message("in another channel"),
        fixture.message_in(chosen, ChannelType::Dm, "in private"),
        fixture.message_in(chosen, ChannelType::Forum, "told"),
    ];
    assert_eq!(replica.hear(&events).await, 1);
    assert_eq!(receiver.call().await.json()["message"]["text"], "told");
}

#[tokio::test]
async fn an_event_that_is_heard_of_twice_is_delivered_once() {
    let (fixture, receiver) = (Fixture::new().await, Receiver::start().await);
    let replica = fixture.replica(timing(&[])).await;
    let (id, _) = replica.webhook(receiver.url("hook")).await;
    let (once, last) = (fixture.message("once"), fixture.message("last"));
    for events in [&[once.clone()][..], &[once, last]] {
        replica.hear(events).await;
    }
    let mut texts: Vec<_> = receiver.calls(2).await;
    texts.sort_by_key(|call| call.json()["message"]["text"].to_string());
    assert_eq!(texts[0].json()["message"]["text"], "last");
    assert_eq!(texts[1].json()["message"]["text"], "once");
    assert_eq!(replica.deliveries(&id).await.len(), 2);
    assert!(receiver.is_quiet().await);
}

#[tokio::test]
async fn a_redelivery_has_the_same_id_and_the_present_secret() {
    let (fixture, receiver) = (Fixture::new().await, Receiver::start().await);
    let replica = fixture.replica(timing(&[])).await;
    let (id, _) = replica.webhook(receiver.url("hook")).await;
    receiver.answer([
        Answer::Status(500),
        Answer::After(Duration::from_millis(500)),
    ]);
    replica.hear(&[fixture.message("Hi")]).await;
    let first = receiver.call().await;
    let failed = |status| move |delivery: &_| status_of(delivery) == status;
    let delivery = replica.newest(&id, failed(DeliveryStatus::Failed)).await;
    assert_eq!(delivery.error, "status 500");

    let redeliver = async || {
        let request = RedeliverDeliveryRequest {
            webhook_id: id.clone(),
            delivery_id: delivery.id.clone(),
        };
        let mut client = replica.client();
        let answer = client.redeliver_delivery(replica.signed(request)).await;
        answer.map(|answer| answer.into_inner().delivery.unwrap())
    };
    let queued = redeliver().await.unwrap();
    assert_eq!(queued.status(), DeliveryStatus::Pending);
    let again = receiver.call().await;
    assert_eq!(
        reason(redeliver().await),
        Reason::WrongState,
        "while it runs"
    );
    assert_eq!(again.header("webhook-id"), first.header("webhook-id"));
    assert_eq!(again.body, first.body);
    let delivery = replica.newest(&id, failed(DeliveryStatus::Success)).await;
    assert_eq!(delivery.attempts, 2);
}

fn status_of(delivery: &guildhall_proto::webhooks::v1::Delivery) -> DeliveryStatus {
    delivery.status()
}

#[tokio::test]
async fn deliveries_are_listed_newest_first_in_pages() {
    let (fixture, receiver) = (Fixture::new().await, Receiver::start().await);
    let replica = fixture.replica(timing(&[])).await;
    let (id, _) = replica.webhook(receiver.url("hook")).await;
    receiver.answer([Answer::Status(500)]);
    for number in 0..5 {
        replica.hear(&[fixture.message(&number.to_string())]).await;
        receiver.call().await;
    }
    let ended = |delivery: &_| status_of(delivery) == DeliveryStatus::Success;
    replica.newest(&id, ended).await;

    let all = replica.deliveries(&id).await;
    assert!(all.windows(2).all(|pair| pair[0].id > pair[1].id));
    let mut request = ListDeliveriesRequest {
        webhook_id: id,
        page_size: 2,
        skip: 1,
        ..ListDeliveriesRequest::default()
    };
    let first = replica.list(request.clone()).await.unwrap();
    assert_eq!(first.total_size, 5);
    assert_eq!(first.deliveries, all[1..3]);
    request.page_token = first.next_page_token;
    request.skip = 0;
    let second = replica.list(request.clone()).await.unwrap();
    assert_eq!(second.deliveries, all[3..]);
    assert!(second.next_page_token.is_empty());

    request.page_token = String::new();
    request.status = DeliveryStatus::Failed.into();
    request.event = EventKind::MessagePosted.into();
    let failed = replica.list(request.clone()).await.unwrap();
    assert_eq!((failed.total_size, &failed.deliveries[..]), (1, &all[4..]));
    request.event = EventKind::ReactionAdded.into();
    assert_eq!(replica.list(request.clone()).await.unwrap().total_size, 0);
    request.skip = 10_001;
    assert_eq!(reason(replica.list(request).await), Reason::InvalidValue);
}

#[tokio::test]
async fn another_community_sees_nothing() {
    let (fixture, receiver) = (Fixture::new().await, Receiver::start().await);
    let replica = fixture.replica(timing(&[])).await;
    let (id, _) = replica.webhook(receiver.url("hook")).await;
    replica.hear(&[fixture.message("Hi")]).await;
    let (theirs, mut client) = (&fixture.neighbour.api_key, replica.client());
    let get = GetOutgoingWebhookRequest { id: id.clone() };
    let get = client.get_outgoing_webhook(signed(get, theirs)).await;
    assert_eq!(reason(get), Reason::WebhookNotFound);
    let list = ListDeliveriesRequest {
        webhook_id: id.clone(),
        ..ListDeliveriesRequest::default()
    };
    let list = client.list_deliveries(signed(list, theirs)).await;
    assert_eq!(reason(list), Reason::WebhookNotFound);
    let update = UpdateOutgoingWebhookRequest {
        id: id.clone(),
        rotate_secret: true,
        ..UpdateOutgoingWebhookRequest::default()
    };
    let update = client.update_outgoing_webhook(signed(update, theirs)).await;
    assert_eq!(reason(update), Reason::WebhookNotFound);
    let delivery_id = replica.deliveries(&id).await[0].id.clone();
    let redeliver = RedeliverDeliveryRequest {
        webhook_id: id,
        delivery_id,
    };
    let redeliver = client.redeliver_delivery(signed(redeliver, theirs)).await;
    assert_eq!(reason(redeliver), Reason::WebhookNotFound);
    let mut foreign = fixture.message("of the neighbour");
    foreign.community_id = fixture.neighbour.community_id.to_string();
    assert_eq!(replica.hear(&[foreign]).await, 0);
}
