//! Managing outgoing webhooks (contract: events, "webhooks-out-…").

use axum::{Json, extract::State};
use guildhall_proto::webhooks::v1::{
    CreateOutgoingWebhookRequest, DeleteOutgoingWebhookRequest, GetOutgoingWebhookRequest,
    ListOutgoingWebhooksRequest,
};
use guildhall_runtime::Reason;
use guildhall_types::{WebhookId, id};
use http::StatusCode;

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
        page::{Page, PageQuery, Paging},
    },
    extract::{Input, Query, Segments},
    failure::{Result, sent},
    sample,
    upstream::Services,
};

/// What callers call the fields of a webhook.
const NAMES: FieldNames = &[
    ("ignored_incoming_ids", "ignoreIncomingIds"),
    ("enabled", "isEnabled"),
    ("encryption.enabled", "encryption.isEnabled"),
    ("joins_on_bulk_import", "joinOnBulkImport"),
];

pub fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::new("webhooks-out-list", list, || {
            page(Page::default().of(1), vec![sample::outgoing_webhook().into()])
        })
        .about("The community's outgoing webhooks, oldest first.")
        .calls("/guildhall.webhooks.v1.OutgoingWebhookService/ListOutgoingWebhooks")
        .naming(&[("skip", "page")]),
        Endpoint::taking("webhooks-out-create", create, NewOutgoing::example, || {
            let record = OutgoingRecord::from(sample::outgoing_webhook());
            created(record.with_secret("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD".into()))
        })
        .about("Makes an outgoing webhook, at most 50 in a community. Its secret is in this answer alone.")
        .calls("/guildhall.webhooks.v1.OutgoingWebhookService/CreateOutgoingWebhook")
        .naming(NAMES)
        .refusing(&[Reason::AlreadyExists]),
        Endpoint::new("webhooks-out-get", get, || shown(sample::outgoing_webhook().into()))
            .about("One outgoing webhook.")
            .calls("/guildhall.webhooks.v1.OutgoingWebhookService/GetOutgoingWebhook")
            .refusing(&[Reason::WebhookNotFound]),
        Endpoint::taking("webhooks-out-update", update, OutgoingChange::example, || {
            changed(sample::outgoing_webhook().into())
        })
        .about("Changes an outgoing webhook. A new secret is in this answer alone.")
        .calls("/guildhall.webhooks.v1.OutgoingWebhookService/UpdateOutgoingWebhook")
        .naming(NAMES)
        .refusing(&[Reason::WebhookNotFound, Reason::AlreadyExists]),
        Endpoint::new("webhooks-out-delete", delete, || deleted(sample::WEBHOOK_ID.into()))
            .about("Deletes an outgoing webhook; what still waits to be delivered to it is dropped.")
            .calls("/guildhall.webhooks.v1.OutgoingWebhookService/DeleteOutgoingWebhook")
            .refusing(&[Reason::WebhookNotFound]),
    ]
}

fn page(paging: Paging, records: Vec<OutgoingRecord>) -> ApplicationPage<OutgoingRecord> {
    ApplicationPage::new("Read outgoing webhooks success.", paging, records)
}

fn created(record: OutgoingRecord) -> Application<OutgoingRecord> {
    Application::created("Create outgoing webhook success.", record)
}

fn shown(record: OutgoingRecord) -> Application<OutgoingRecord> {
    Application::new("Read outgoing webhook success.", record)
}

fn changed(record: OutgoingRecord) -> Application<OutgoingRecord> {
    Application::new("Update outgoing webhook success.", record)
}

fn deleted(id: String) -> Application<DeletedWebhook> {
    Application::new("Delete outgoing webhook success.", DeletedWebhook { id })
}

async fn list(
    State(services): State<Services>,
    call: Call,
    Query(query): Query<PageQuery>,
) -> Result<Json<ApplicationPage<OutgoingRecord>>> {
    let page = query.page()?;
    let request = call.request(ListOutgoingWebhooksRequest {
        page_size: page.size(),
        page_token: String::new(),
        skip: page.skip(),
    });
    let answer = services
        .outgoing_webhooks()
        .list_outgoing_webhooks(request)
        .await?;
    let answer = answer.into_inner();
    let records = answer.webhooks.into_iter().map(OutgoingRecord::from);
    Ok(Json(self::page(
        page.of(answer.total_size),
        records.collect(),
    )))
}

async fn create(
    State(services): State<Services>,
    call: Call,
    Input(new): Input<NewOutgoing>,
) -> Result<(StatusCode, Replayed, Json<Application<OutgoingRecord>>)> {
    let request = call.request(CreateOutgoingWebhookRequest {
        spec: Some(new.into()),
    });
    let answer = services
        .outgoing_webhooks()
        .create_outgoing_webhook(request)
        .await?;
    let replayed = Replayed::of(&answer);
    let answer = answer.into_inner();
    let webhook = sent(answer.webhook, "the new webhook")?;
    let record = OutgoingRecord::from(webhook).with_secret(answer.secret);
    Ok((StatusCode::CREATED, replayed, Json(created(record))))
}

async fn get(
    State(services): State<Services>,
    call: Call,
    Segments(webhook): Segments<String>,
) -> Result<Json<Application<OutgoingRecord>>> {
    let id = id::parse::<WebhookId>("webhookId", &webhook)?.to_string();
    let request = call.request(GetOutgoingWebhookRequest { id });
    let answer = services
        .outgoing_webhooks()
        .get_outgoing_webhook(request)
        .await?;
    let record = sent(answer.into_inner().webhook, "a webhook")?.into();
    Ok(Json(shown(record)))
}

async fn update(
    State(services): State<Services>,
    call: Call,
    Segments(webhook): Segments<String>,
    Input(change): Input<OutgoingChange>,
) -> Result<Json<Application<OutgoingRecord>>> {
    let id = id::parse::<WebhookId>("webhookId", &webhook)?;
    let request = call.request(change.into_request(id));
    let answer = services
        .outgoing_webhooks()
        .update_outgoing_webhook(request)
        .await?;
    let answer = answer.into_inner();
    let webhook = sent(answer.webhook, "the changed webhook")?;
    let record = OutgoingRecord::from(webhook).with_secret(answer.secret);
    Ok(Json(changed(record)))
}

async fn delete(
    State(services): State<Services>,
    call: Call,
    Segments(webhook): Segments<String>,
) -> Result<Json<Application<DeletedWebhook>>> {
    let id = id::parse::<WebhookId>("webhookId", &webhook)?.to_string();
    let request = call.request(DeleteOutgoingWebhookRequest { id: id.clone() });
    services
        .outgoing_webhooks()
        .delete_outgoing_webhook(request)
        .await?;
    Ok(Json(deleted(id)))
}
