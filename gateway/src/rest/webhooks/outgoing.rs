//! Managing outgoing webhooks (contract: events, "webhooks-out-…").

use axum::extract::State;
use guildhall_proto::webhooks::v1::{
    CreateOutgoingWebhookRequest, DeleteOutgoingWebhookRequest, GetOutgoingWebhookRequest,
    ListOutgoingWebhooksRequest, UpdateOutgoingWebhookRequest,
};
use guildhall_runtime::Reason;
use guildhall_types::{WebhookId, id};

use super::{
    DeletedWebhook,
    outgoing_record::{NewOutgoing, OutgoingChange, OutgoingRecord},
};
use crate::{
    call::{Call, Replayed},
    endpoint::Endpoint,
    envelope::{
        FieldNames,
        application::{Application, ApplicationPage},
        mask,
        page::{Page, PageQuery},
    },
    extract::{Input, Query, Segments},
    failure::{Result, sent},
    sample,
    upstream::OutgoingWebhooks,
};

/// What one is called in answers, and several.
const NAME: &str = "outgoing webhook";
const NAMES: &str = "outgoing webhooks";
/// What callers call the fields of a webhook.
const FIELDS: FieldNames = &[
    ("ignored_incoming_ids", "ignoreIncomingIds"),
    ("enabled", "isEnabled"),
    ("encryption.enabled", "encryption.isEnabled"),
    ("joins_on_bulk_import", "joinOnBulkImport"),
];

pub fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::new("webhooks-out-list", list, || {
            ApplicationPage::read(NAMES, Page::default().of(1), [example()])
        })
        .about("The community's outgoing webhooks, oldest first.")
        .calls("/guildhall.webhooks.v1.OutgoingWebhookService/ListOutgoingWebhooks")
        .naming(&[("skip", "page")]),
        Endpoint::taking("webhooks-out-create", create, NewOutgoing::example, || {
            let secret = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
            Application::created(NAME, example().with_secret(secret.into()))
        })
        .about("Makes an outgoing webhook, at most 50 in a community. Its secret is in this answer alone.")
        .calls("/guildhall.webhooks.v1.OutgoingWebhookService/CreateOutgoingWebhook")
        .naming(FIELDS)
        .refusing(&[Reason::AlreadyExists]),
        Endpoint::new("webhooks-out-get", get, || Application::read(NAME, example()))
            .about("One outgoing webhook.")
            .calls("/guildhall.webhooks.v1.OutgoingWebhookService/GetOutgoingWebhook")
            .refusing(&[Reason::WebhookNotFound]),
        Endpoint::taking("webhooks-out-update", update, OutgoingChange::example, || {
            Application::updated(NAME, example())
        })
        .about("Changes an outgoing webhook. A new secret is in this answer alone.")
        .calls("/guildhall.webhooks.v1.OutgoingWebhookService/UpdateOutgoingWebhook")
        .naming(FIELDS)
        .refusing(&[Reason::WebhookNotFound, Reason::AlreadyExists]),
        Endpoint::new("webhooks-out-delete", delete, || {
            Application::deleted(NAME, DeletedWebhook::example())
        })
        .about("Deletes an outgoing webhook; what still waits to be delivered to it is dropped.")
        .calls("/guildhall.webhooks.v1.OutgoingWebhookService/DeleteOutgoingWebhook")
        .refusing(&[Reason::WebhookNotFound]),
    ]
}

fn example() -> OutgoingRecord {
    sample::outgoing_webhook().into()
}

async fn list(
    State(mut webhooks): State<OutgoingWebhooks>,
    call: Call,
    Query(query): Query<PageQuery>,
) -> Result<ApplicationPage<OutgoingRecord>> {
    let page = query.page()?;
    let request = call.request(ListOutgoingWebhooksRequest {
        page_size: page.size(),
        page_token: String::new(),
        skip: page.skip(),
    });
    let answer = webhooks.list_outgoing_webhooks(request).await?.into_inner();
    let records = answer.webhooks.into_iter().map(OutgoingRecord::from);
    Ok(ApplicationPage::read(
        NAMES,
        page.of(answer.total_size),
        records,
    ))
}

async fn create(
    State(mut webhooks): State<OutgoingWebhooks>,
    call: Call,
    Input(new): Input<NewOutgoing>,
) -> Result<(Replayed, Application<OutgoingRecord>)> {
    let spec = Some(new.into());
    let request = call.request(CreateOutgoingWebhookRequest { spec });
    let answer = webhooks.create_outgoing_webhook(request).await?;
    let replayed = Replayed::of(&answer);
    let answer = answer.into_inner();
    let webhook = sent(answer.webhook, "the new webhook")?;
    let record = OutgoingRecord::from(webhook).with_secret(answer.secret);
    Ok((replayed, Application::created(NAME, record)))
}

async fn get(
    State(mut webhooks): State<OutgoingWebhooks>,
    call: Call,
    Segments(webhook): Segments<String>,
) -> Result<Application<OutgoingRecord>> {
    let id = id::parse::<WebhookId>("webhookId", &webhook)?.to_string();
    let request = call.request(GetOutgoingWebhookRequest { id });
    let answer = webhooks.get_outgoing_webhook(request).await?;
    let webhook = sent(answer.into_inner().webhook, "a webhook")?;
    Ok(Application::read(NAME, OutgoingRecord::from(webhook)))
}

async fn update(
    State(mut webhooks): State<OutgoingWebhooks>,
    call: Call,
    Segments(webhook): Segments<String>,
    Input(mut change): Input<OutgoingChange>,
) -> Result<Application<OutgoingRecord>> {
    let request = call.request(UpdateOutgoingWebhookRequest {
        id: id::parse::<WebhookId>("webhookId", &webhook)?.to_string(),
        rotate_secret: change.rotate_secret.take().unwrap_or_default(),
        update_mask: Some(mask(&change, FIELDS)?),
        spec: Some(change.into()),
    });
    let answer = webhooks
        .update_outgoing_webhook(request)
        .await?
        .into_inner();
    let webhook = sent(answer.webhook, "the changed webhook")?;
    let record = OutgoingRecord::from(webhook).with_secret(answer.secret);
    Ok(Application::updated(NAME, record))
}

async fn delete(
    State(mut webhooks): State<OutgoingWebhooks>,
    call: Call,
    Segments(webhook): Segments<String>,
) -> Result<Application<DeletedWebhook>> {
    let id = id::parse::<WebhookId>("webhookId", &webhook)?.to_string();
    let request = call.request(DeleteOutgoingWebhookRequest { id: id.clone() });
    webhooks.delete_outgoing_webhook(request).await?;
    Ok(Application::deleted(NAME, DeletedWebhook { id }))
}
