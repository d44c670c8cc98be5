//! Managing incoming webhooks (contract: events, "webhooks-in-…").

use axum::{Json, extract::State};
use guildhall_proto::webhooks::v1::{
    CreateIncomingWebhookRequest, DeleteIncomingWebhookRequest, GetIncomingWebhookRequest,
    ListIncomingWebhooksRequest,
};
use guildhall_runtime::Reason;
use guildhall_types::{WebhookId, id};
use http::StatusCode;

use super::{
    DeletedWebhook,
    incoming_record::{IncomingChange, IncomingRecord, NewIncoming},
};
use crate::{
    call::{Call, Replayed},
    endpoint::Endpoint,
    envelope::{
        FieldNames,
        application::{Application, ApplicationPage},
        page::{Page, PageQuery, Paging},
    },
    extract::{BaseUrl, Input, Query, Segments},
    failure::{Result, sent},
    sample,
    upstream::Services,
};

/// What callers call the fields of a webhook.
const NAMES: FieldNames = &[
    ("enabled", "isEnabled"),
    ("encryption.enabled", "encryption.isEnabled"),
];

pub fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::new("webhooks-in-list", list, || {
            page(Page::default().of(1), vec![example()])
        })
        .about("The community's incoming webhooks, oldest first.")
        .calls("/guildhall.webhooks.v1.IncomingWebhookService/ListIncomingWebhooks")
        .naming(&[("skip", "page")]),
        Endpoint::taking("webhooks-in-create", create, NewIncoming::example, || {
            created(example().with_key(sample::KEY.into()))
        })
        .about("Makes an incoming webhook, at most 50 in a community. Its API key is in this answer alone.")
        .calls("/guildhall.webhooks.v1.IncomingWebhookService/CreateIncomingWebhook")
        .naming(NAMES)
        .refusing(&[Reason::ChannelNotFound]),
        Endpoint::new("webhooks-in-get", get, || shown(example()))
            .about("One incoming webhook.")
            .calls("/guildhall.webhooks.v1.IncomingWebhookService/GetIncomingWebhook")
            .refusing(&[Reason::WebhookNotFound]),
        Endpoint::taking("webhooks-in-update", update, IncomingChange::example, || changed(example()))
            .about("Changes an incoming webhook. A new API key is in this answer alone.")
            .calls("/guildhall.webhooks.v1.IncomingWebhookService/UpdateIncomingWebhook")
            .naming(NAMES)
            .refusing(&[Reason::WebhookNotFound]),
        Endpoint::new("webhooks-in-delete", delete, || deleted(sample::WEBHOOK_ID.into()))
            .about("Deletes an incoming webhook; its url is unknown from then on.")
            .calls("/guildhall.webhooks.v1.IncomingWebhookService/DeleteIncomingWebhook")
            .refusing(&[Reason::WebhookNotFound]),
    ]
}

fn example() -> IncomingRecord {
    IncomingRecord::new(sample::incoming_webhook(), &"https://api.example.com")
}

fn page(paging: Paging, records: Vec<IncomingRecord>) -> ApplicationPage<IncomingRecord> {
    ApplicationPage::new("Read incoming webhooks success.", paging, records)
}

fn created(record: IncomingRecord) -> Application<IncomingRecord> {
    Application::created("Create incoming webhook success.", record)
}

fn shown(record: IncomingRecord) -> Application<IncomingRecord> {
    Application::new("Read incoming webhook success.", record)
}

fn changed(record: IncomingRecord) -> Application<IncomingRecord> {
    Application::new("Update incoming webhook success.", record)
}

fn deleted(id: String) -> Application<DeletedWebhook> {
    Application::new("Delete incoming webhook success.", DeletedWebhook { id })
}

async fn list(
    State(services): State<Services>,
    call: Call,
    BaseUrl(url): BaseUrl,
    Query(query): Query<PageQuery>,
) -> Result<Json<ApplicationPage<IncomingRecord>>> {
    let page = query.page()?;
    let request = call.request(ListIncomingWebhooksRequest {
        page_size: page.size(),
        page_token: String::new(),
        skip: page.skip(),
    });
    let answer = services
        .incoming_webhooks()
        .list_incoming_webhooks(request)
        .await?;
    let answer = answer.into_inner();
    let records = answer.webhooks.into_iter();
    let records = records.map(|webhook| IncomingRecord::new(webhook, &url));
    Ok(Json(self::page(
        page.of(answer.total_size),
        records.collect(),
    )))
}

async fn create(
    State(services): State<Services>,
    call: Call,
    BaseUrl(url): BaseUrl,
    Input(new): Input<NewIncoming>,
) -> Result<(StatusCode, Replayed, Json<Application<IncomingRecord>>)> {
    let request = call.request(CreateIncomingWebhookRequest {
        spec: Some(new.into()),
    });
    let answer = services
        .incoming_webhooks()
        .create_incoming_webhook(request)
        .await?;
    let replayed = Replayed::of(&answer);
    let answer = answer.into_inner();
    let webhook = sent(answer.webhook, "the new webhook")?;
    let record = IncomingRecord::new(webhook, &url).with_key(answer.api_key);
    Ok((StatusCode::CREATED, replayed, Json(created(record))))
}

async fn get(
    State(services): State<Services>,
    call: Call,
    BaseUrl(url): BaseUrl,
    Segments(webhook): Segments<String>,
) -> Result<Json<Application<IncomingRecord>>> {
    let id = id::parse::<WebhookId>("webhookId", &webhook)?.to_string();
    let request = call.request(GetIncomingWebhookRequest { id });
    let answer = services
        .incoming_webhooks()
        .get_incoming_webhook(request)
        .await?;
    let webhook = sent(answer.into_inner().webhook, "a webhook")?;
    let record = IncomingRecord::new(webhook, &url);
    Ok(Json(shown(record)))
}

async fn update(
    State(services): State<Services>,
    call: Call,
    BaseUrl(url): BaseUrl,
    Segments(webhook): Segments<String>,
    Input(change): Input<IncomingChange>,
) -> Result<Json<Application<IncomingRecord>>> {
    let id = id::parse::<WebhookId>("webhookId", &webhook)?;
    let request = call.request(change.into_request(id));
    let answer = services
        .incoming_webhooks()
        .update_incoming_webhook(request)
        .await?;
    let answer = answer.into_inner();
    let webhook = sent(answer.webhook, "the changed webhook")?;
    let record = IncomingRecord::new(webhook, &url).with_key(answer.api_key);
    Ok(Json(changed(record)))
}

async fn delete(
    State(services): State<Services>,
    call: Call,
    Segments(webhook): Segments<String>,
) -> Result<Json<Application<DeletedWebhook>>> {
    let id = id::parse::<WebhookId>("webhookId", &webhook)?.to_string();
    let request = call.request(DeleteIncomingWebhookRequest { id: id.clone() });
    services
        .incoming_webhooks()
        .delete_incoming_webhook(request)
        .await?;
    Ok(Json(deleted(id)))
}
