//! Secrets of webhooks open in their own rows alone. A webhook whose secrets do not open is parked.

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, RandomizedNonceKey},
    hkdf::{self, HKDF_SHA256},
};
use guildhall_data::{CommunityId, Database, Resource, Tenant, WebhookId};
use guildhall_proto::webhooks::v1::{
    CreateOutgoingWebhookRequest, Delivery, DeliveryStatus, OutgoingWebhookSpec,
    RecoverDeliveriesRequest, TestOutgoingWebhookRequest, UpdateOutgoingWebhookRequest,
};
use guildhall_runtime::Timestamp;
use guildhall_testkit::receiver::Receiver;
use guildhall_webhooks::store::outgoing::{Column, Entity, Model};
use sea_orm::{ConnectionTrait, entity::prelude::*};
use standardwebhooks::Webhook;

use crate::fixture::{Fixture, Replica, SECRET, signed, spec, timing, webhook_id};

fn is(status: DeliveryStatus) -> impl Fn(&Delivery) -> bool {
    move |delivery| delivery.status() == status
}

fn with_api_key(url: String, api_key: &str) -> OutgoingWebhookSpec {
    OutgoingWebhookSpec {
        api_key: api_key.into(),
        ..spec(url)
    }
}

async fn stored(fixture: &Fixture, community: CommunityId, id: WebhookId) -> Model {
    let found = Entity::get(fixture.database.reader(), community, id).await;
    found.unwrap()
}

async fn set(fixture: &Fixture, webhook: (CommunityId, &str), column: Column, sealed: Vec<u8>) {
    let transaction = fixture.database.begin().await.unwrap();
    let update = Entity::changing(webhook.0)
        .col_expr(column, Expr::val(sealed))
        .filter(Column::Id.eq(webhook_id(webhook.1)));
    update.exec(&transaction).await.unwrap();
    Database::commit(transaction).await.unwrap();
}

/// Gives a webhook another API key, as an admin does.
async fn set_api_key(replica: &Replica, id: &str, api_key: &str) {
    let request = replica.signed(UpdateOutgoingWebhookRequest {
        id: id.into(),
        spec: Some(with_api_key(String::new(), api_key)),
        update_mask: Some(prost_types::FieldMask {
            paths: vec!["api_key".into()],
        }),
        rotate_secret: false,
    });
    let updated = replica.client().update_outgoing_webhook(request).await;
    updated.unwrap();
}

/// Gives a webhook another secret, as an admin does.
async fn rotate(replica: &Replica, id: &str) -> String {
    let request = replica.signed(UpdateOutgoingWebhookRequest {
        id: id.into(),
        rotate_secret: true,
        ..UpdateOutgoingWebhookRequest::default()
    });
    let updated = replica.client().update_outgoing_webhook(request).await;
    updated.unwrap().into_inner().secret
}

async fn recover(replica: &Replica, id: &str) -> i32 {
    let request = replica.signed(RecoverDeliveriesRequest {
        webhook_id: id.into(),
        since: Some(Timestamp::from_millis(0).into()),
    });
    let recovered = replica.client().recover_deliveries(request).await;
    recovered.unwrap().into_inner().queued
}

#[tokio::test]
async fn an_api_key_that_was_moved_is_not_sent_and_its_webhook_holds_up_nobody() {
    let fixture = Fixture::new().await;
    let replica = fixture.replica(timing(&[100])).await;
    let (receiver, thieves) = (Receiver::start().await, Receiver::start().await);
    let (ours, theirs) = (
        fixture.community.community_id,
        fixture.neighbour.community_id,
    );
    let victim = signed(
        CreateOutgoingWebhookRequest {
            spec: Some(with_api_key(receiver.url("theirs"), "the-neighbours-key")),
        },
        &fixture.neighbour.api_key,
    );
    let victim = replica.client().create_outgoing_webhook(victim).await;
    let victim = victim.unwrap().into_inner().webhook.unwrap().id;
    let thief = with_api_key(thieves.url("hook"), "our-own-key");
    let thief = replica.create(thief).await.unwrap().webhook.unwrap().id;
    let (healthy, _) = replica.webhook(receiver.url("healthy")).await;
    let key = stored(&fixture, theirs, webhook_id(&victim)).await.api_key;
    set(&fixture, (ours, &thief), Column::ApiKey, key.unwrap()).await;

    for text in ["one", "two"] {
        assert_eq!(replica.hear(&[fixture.message(text)]).await, 2);
        let parked = replica.newest(&thief, is(DeliveryStatus::Failed)).await;
        let reason = "the webhook's API key cannot be opened: set it again";
        assert_eq!((parked.error.as_str(), parked.attempts), (reason, 0));
        assert!(parked.next_attempt_time.is_none());
        assert_eq!(receiver.call().await.json()["message"]["text"], text);
        replica.newest(&healthy, is(DeliveryStatus::Success)).await;
    }
    assert!(thieves.is_quiet().await, "the neighbour's key was sent");
    let webhook = replica.get(&thief).await;
    assert!(webhook.enabled && webhook.consecutive_failures == 0);
    let test = replica.signed(TestOutgoingWebhookRequest {
        webhook_id: thief.clone(),
        event: 3,
    });
    let tested = replica.client().test_outgoing_webhook(test).await;
    assert!(tested.unwrap().into_inner().error.contains("API key"));

    set_api_key(&replica, &thief, "another-key").await;
    assert_eq!(recover(&replica, &thief).await, 2);
    for call in thieves.calls(2).await {
        assert_eq!(call.header("x-api-key"), "another-key");
    }
}

#[tokio::test]
async fn a_webhook_whose_secret_does_not_open_works_again_once_it_is_rotated() {
    let (fixture, receiver) = (Fixture::new().await, Receiver::start().await);
    let replica = fixture.replica(timing(&[100])).await;
    let ours = fixture.community.community_id;
    let (id, _) = replica.webhook(receiver.url("hook")).await;
    rotate(&replica, &id).await;
    // As if the platform had another secret.
    let mut damaged = stored(&fixture, ours, webhook_id(&id)).await;
    damaged.secret.reverse();
    damaged.old_secrets.0[0].sealed.reverse();
    let transaction = fixture.database.begin().await.unwrap();
    Entity::update_one(&transaction, &damaged).await.unwrap();
    Database::commit(transaction).await.unwrap();
    replica.hear(&[fixture.message("Hi")]).await;
    let parked = replica.newest(&id, is(DeliveryStatus::Failed)).await;
    assert_eq!(
        parked.error,
        "the webhook's secret cannot be opened: rotate it"
    );

    let secret = rotate(&replica, &id).await;
    assert_eq!(recover(&replica, &id).await, 1);
    let call = receiver.call().await;
    let verifier = Webhook::new(&secret).unwrap();
    verifier.verify(&call.body, &call.headers).unwrap();
}

#[tokio::test]
async fn what_was_sealed_before_places_is_sealed_anew_once() {
    let (fixture, receiver) = (Fixture::new().await, Receiver::start().await);
    let ours = fixture.community.community_id;
    let first = fixture.replica(timing(&[])).await;
    let (id, _) = first.webhook(receiver.url("hook")).await;
    drop(first);
    let before = sealed_before(b"old-key");
    set(&fixture, (ours, &id), Column::ApiKey, before.clone()).await;
    let transaction = fixture.database.begin().await.unwrap();
    let forget = "DELETE FROM seal_upgrades";
    transaction.execute_unprepared(forget).await.unwrap();
    Database::commit(transaction).await.unwrap();

    // Several start at once, as in an upgrade.
    let (replica, _other) =
        tokio::join!(fixture.replica(timing(&[])), fixture.replica(timing(&[])));
    let anew = stored(&fixture, ours, webhook_id(&id)).await.api_key;
    assert_ne!(anew, Some(before.clone()));
    replica.hear(&[fixture.message("Hi")]).await;
    assert_eq!(receiver.call().await.header("x-api-key"), "old-key");

    // From then on nobody can bring the format before back.
    set(&fixture, (ours, &id), Column::ApiKey, before.clone()).await;
    let replica = fixture.replica(timing(&[])).await;
    replica.hear(&[fixture.message("Hi")]).await;
    replica.newest(&id, is(DeliveryStatus::Failed)).await;
    let kept = stored(&fixture, ours, webhook_id(&id)).await.api_key;
    assert_eq!(kept, Some(before));
    assert!(receiver.is_quiet().await);
}

/// A value as the release before sealed it: in no place.
fn sealed_before(plain: &[u8]) -> Vec<u8> {
    let mut key = [0; 32];
    hkdf::Salt::new(HKDF_SHA256, b"guildhall")
        .extract(SECRET)
        .expand(&[b"webhook secrets"], HKDF_SHA256)
        .and_then(|okm| okm.fill(&mut key))
        .unwrap();
    let key = RandomizedNonceKey::new(&AES_256_GCM, &key).unwrap();
    let mut text = plain.to_vec();
    let nonce = key
        .seal_in_place_append_tag(Aad::empty(), &mut text)
        .unwrap();
    [&nonce.as_ref()[..], &text].concat()
}
