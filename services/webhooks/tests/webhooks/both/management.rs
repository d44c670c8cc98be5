//! Managing outgoing webhooks (contract: events, "Management").

use guildhall_proto::webhooks::v1::{
    CreateOutgoingWebhookRequest, DeleteOutgoingWebhookRequest, EncryptionMode, EncryptionSpec,
    ListOutgoingWebhooksRequest, OutgoingWebhookSpec, UpdateOutgoingWebhookRequest,
};
use guildhall_runtime::{Reason, Timestamp};
use tonic::metadata::MetadataValue;

use crate::fixture::{Fixture, reason, spec, timing};

const URL: &str = "https://crm.example/hook";
const AES_KEY: &str = "0123456789abcdefghijklmnopqrstuv";

#[tokio::test]
async fn a_secret_is_in_the_answer_that_makes_it_and_in_its_repeat_alone() {
    let fixture = Fixture::new().await;
    let replica = fixture.replica(timing(&[])).await;
    let create = async || {
        let spec = Some(spec(URL.into()));
        let mut request = replica.signed(CreateOutgoingWebhookRequest { spec });
        let key = MetadataValue::from_static("once");
        request.metadata_mut().insert("idempotency-key", key);
        let made = replica.client().create_outgoing_webhook(request).await;
        made.unwrap().into_inner()
    };
    let made = create().await;
    assert!(made.secret.starts_with("whsec_"));
    assert_eq!(create().await, made);
    let webhook = made.webhook.unwrap();
    assert!(webhook.enabled && webhook.has_secret);
    assert_eq!(replica.get(&webhook.id).await, webhook);
}

#[tokio::test]
async fn no_two_have_the_same_url_and_events_and_there_are_fifty_at_most() {
    let fixture = Fixture::new().await;
    let replica = fixture.replica(timing(&[])).await;
    replica.create(spec(URL.into())).await.unwrap();
    let same = replica.create(OutgoingWebhookSpec {
        name: "Another".into(),
        ..spec("https://CRM.example:443/hook".into())
    });
    assert_eq!(reason(same.await), Reason::AlreadyExists);
    // What a receiver does not see makes no other address.
    let same = replica.create(spec("HTTPS://crm.example./hook#here".into()));
    assert_eq!(reason(same.await), Reason::AlreadyExists);
    let other_events = replica.create(OutgoingWebhookSpec {
        events: vec![3, 11],
        ..spec(URL.into())
    });
    other_events.await.unwrap();
    for number in 2..50 {
        let url = format!("{URL}/{number}");
        replica.create(spec(url)).await.unwrap();
    }
    let one_too_many = replica.create(spec(format!("{URL}/50"))).await;
    assert_eq!(reason(one_too_many), Reason::InvalidValue);

    let list = |page_token: String| {
        replica.signed(ListOutgoingWebhooksRequest {
            page_size: 30,
            page_token,
            skip: 0,
        })
    };
    let mut client = replica.client();
    let first = client.list_outgoing_webhooks(list(String::new())).await;
    let first = first.unwrap().into_inner();
    assert_eq!((first.total_size, first.webhooks.len()), (50, 30));
    let rest = client
        .list_outgoing_webhooks(list(first.next_page_token))
        .await;
    let rest = rest.unwrap().into_inner();
    assert_eq!(
        (rest.webhooks.len(), rest.next_page_token.as_str()),
        (20, "")
    );
}

#[tokio::test]
async fn what_belongs_together_is_asked_for_together() {
    let fixture = Fixture::new().await;
    let replica = fixture.replica(timing(&[])).await;
    let without_channels = OutgoingWebhookSpec {
        events: vec![4],
        ..spec(URL.into())
    };
    assert_eq!(
        reason(replica.create(without_channels).await),
        Reason::MissingField
    );
    let without_key = OutgoingWebhookSpec {
        encryption: Some(EncryptionSpec {
            enabled: true,
            ..EncryptionSpec::default()
        }),
        ..spec(URL.into())
    };
    assert_eq!(
        reason(replica.create(without_key).await),
        Reason::MissingField
    );
}

#[tokio::test]
async fn a_mask_changes_what_it_names_and_keeps_the_rest() {
    let fixture = Fixture::new().await;
    let replica = fixture.replica(timing(&[])).await;
    let made = replica.create(OutgoingWebhookSpec {
        encryption: Some(EncryptionSpec {
            enabled: true,
            mode: EncryptionMode::Cbc.into(),
            key: AES_KEY.into(),
        }),
        ..spec(URL.into())
    });
    let made = made.await.unwrap().webhook.unwrap();
    let update = async |paths: &[&str], spec: OutgoingWebhookSpec| {
        let request = replica.signed(UpdateOutgoingWebhookRequest {
            id: made.id.clone(),
            spec: Some(spec),
            update_mask: Some(prost_types::FieldMask {
                paths: paths.iter().map(|path| (*path).into()).collect(),
            }),
            rotate_secret: false,
        });
        let updated = replica.client().update_outgoing_webhook(request).await;
        updated.map(tonic::Response::into_inner)
    };
    let named = OutgoingWebhookSpec {
        name: "Renamed".into(),
        ..OutgoingWebhookSpec::default()
    };
    let updated = update(&["name"], named).await.unwrap();
    assert!(updated.secret.is_empty());
    let webhook = updated.webhook.unwrap();
    assert_eq!(
        (webhook.name.as_str(), webhook.url.as_str()),
        ("Renamed", URL)
    );
    let encryption = webhook.encryption.unwrap();
    assert_eq!(
        (encryption.enabled, encryption.mode()),
        (true, EncryptionMode::Cbc)
    );

    // The key that was given once is still there when encryption is switched on again.
    for enabled in [false, true] {
        let spec = OutgoingWebhookSpec {
            encryption: Some(EncryptionSpec {
                enabled,
                ..EncryptionSpec::default()
            }),
            ..OutgoingWebhookSpec::default()
        };
        let updated = update(&["encryption.enabled"], spec).await.unwrap();
        let encryption = updated.webhook.unwrap().encryption.unwrap();
        assert_eq!(
            (encryption.enabled, encryption.mode()),
            (enabled, EncryptionMode::Cbc)
        );
    }
    let nameless = OutgoingWebhookSpec::default();
    assert_eq!(
        reason(update(&["name"], nameless.clone()).await),
        Reason::MissingField
    );
    assert_eq!(
        reason(update(&["secret"], nameless).await),
        Reason::InvalidValue
    );
}

#[tokio::test]
async fn a_webhook_that_is_deleted_is_not_found() {
    let fixture = Fixture::new().await;
    let replica = fixture.replica(timing(&[])).await;
    let (id, _) = replica.webhook(URL.into()).await;
    let delete = async || {
        let request = replica.signed(DeleteOutgoingWebhookRequest { id: id.clone() });
        replica.client().delete_outgoing_webhook(request).await
    };
    delete().await.unwrap();
    assert_eq!(reason(delete().await), Reason::WebhookNotFound);
}

#[tokio::test]
async fn a_change_that_names_nothing_changes_nothing() {
    let fixture = Fixture::new().await;
    let replica = fixture.replica(timing(&[])).await;
    let (id, _) = replica.webhook(URL.into()).await;
    let before = replica.get(&id).await;
    let moment = Timestamp::from(before.update_time.unwrap());
    while Timestamp::now() <= moment {
        tokio::task::yield_now().await;
    }
    let update = async |mask: Option<prost_types::FieldMask>, spec| {
        let request = replica.signed(UpdateOutgoingWebhookRequest {
            id: id.clone(),
            spec,
            update_mask: mask,
            rotate_secret: false,
        });
        let updated = replica.client().update_outgoing_webhook(request).await;
        updated.unwrap().into_inner().webhook.unwrap()
    };
    let nothing = Some(prost_types::FieldMask::default());
    assert_eq!(update(nothing, None).await, before);
    let named = OutgoingWebhookSpec {
        name: "Renamed".into(),
        ..OutgoingWebhookSpec::default()
    };
    let nothing = Some(prost_types::FieldMask::default());
    assert_eq!(update(nothing, Some(named.clone())).await, before);
    assert_eq!(update(None, None).await, before);

    // Without a mask, what the spec holds is meant (AIP-134).
    let renamed = update(None, Some(named)).await;
    assert_eq!(
        (renamed.name.as_str(), renamed.url.as_str()),
        ("Renamed", URL)
    );
    assert!(renamed.enabled && renamed.update_time != before.update_time);
}
