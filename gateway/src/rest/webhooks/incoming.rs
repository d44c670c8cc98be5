//! Managing incoming webhooks (contract: events, "webhooks-in-…").

use axum::{Json, extract::State};
use guildhall_proto::webhooks::v1::{
    CreateIncomingWebhookRequest, DeleteIncomingWebhookRequest, GetIncomingWebhookRequest,
    ListIncomingWebhooksRequest,
};
use guildhall_runtime::Reason;
use guildhall_types::WebhookId;
use http::StatusCode;
use utoipa_axum::routes;

use super::{
    DeletedWebhook, admins,
    incoming_record::{IncomingChange, IncomingRecord, NewIncoming},
};
use crate::{
    call::{Call, Replayed},
    endpoint::Endpoint,
    envelope::{
        Family, FieldNames,
        application::{Application, ApplicationPage},
        page::PageQuery,
    },
    extract::{Input, Query, Segments, id},
    failure::{Result, sent},
    public_url::PublicUrl,
    upstream::Services,
};

/// What callers call the fields of a webhook.
const NAMES: FieldNames = &[
    ("settings.channel_id", "settings.channelId"),
    ("settings.allowed_channel_ids", "settings.allowedChannelIds"),
    ("settings.allowed_fields", "settings.allowedFields"),
    ("settings.allowed_currencies", "settings.allowedCurrencies"),
    ("encryption.enabled", "encryption.isEnabled"),
];

pub fn endpoints() -> Vec<Endpoint> {
    let endpoint = |id, title, handler, rpc| {
        Endpoint::new(id, title, Family::Application, admins(), handler)
            .calls(rpc)
            .naming(NAMES)
    };
    vec![
        endpoint(
            "webhooks-in-list",
            "List incoming webhooks",
            routes!(list),
            "/guildhall.webhooks.v1.IncomingWebhookService/ListIncomingWebhooks",
        ),
        endpoint(
            "webhooks-in-create",
            "Create incoming webhook",
            routes!(create),
            "/guildhall.webhooks.v1.IncomingWebhookService/CreateIncomingWebhook",
        )
        .refusing(&[Reason::InvalidValue, Reason::IdempotencyMismatch]),
        endpoint(
            "webhooks-in-get",
            "Get incoming webhook",
            routes!(get),
            "/guildhall.webhooks.v1.IncomingWebhookService/GetIncomingWebhook",
        )
        .refusing(&[Reason::WebhookNotFound]),
        endpoint(
            "webhooks-in-update",
            "Update incoming webhook",
            routes!(update),
            "/guildhall.webhooks.v1.IncomingWebhookService/UpdateIncomingWebhook",
        )
        .refusing(&[Reason::WebhookNotFound]),
        endpoint(
            "webhooks-in-delete",
            "Delete incoming webhook",
            routes!(delete),
            "/guildhall.webhooks.v1.IncomingWebhookService/DeleteIncomingWebhook",
        )
        .refusing(&[Reason::WebhookNotFound]),
    ]
}

/// The community's incoming webhooks, oldest first.
#[utoipa::path(
    get,
    path = "/webhooks/incoming",
    tag = "Webhooks",
    params(PageQuery),
    responses((status = 200, description = "The webhooks", body = ApplicationPage<IncomingRecord>, example = json!({
        "meta": { "status": "success", "statusCode": 200, "page": 1, "limit": 20, "total": 1, "totalPages": 1 },
        "message": "Read incoming webhooks success.",
        "data": [{
            "_id": "f10000000000000000000001", "communityID": "c00000000000000000000001",
            "name": "News", "kind": "send_message",
            "url": "https://api.example.com/v1/webhooks/incoming/q7w2e9r4t6y1u8i3o5p0a2s4d6f8g1h3",
            "settings": {
                "channelId": "ca0000000000000000000001", "allowedChannelIds": [],
                "sender": "newsbot", "allowedFields": [], "allowedCurrencies": []
            },
            "apiKeyEnabled": true, "encryption": { "isEnabled": false, "mode": "gcm" },
            "isEnabled": true, "createdAt": "2026-01-02T03:04:05.678Z",
            "updatedAt": "2026-01-02T03:04:05.678Z", "lastUsedAt": null
        }]
    })))
)]
async fn list(
    State(services): State<Services>,
    call: Call,
    url: PublicUrl,
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
    Ok(Json(ApplicationPage::new(
        "Read incoming webhooks success.",
        page.of(answer.total_size),
        records
            .map(|webhook| IncomingRecord::new(webhook, &url))
            .collect(),
    )))
}

/// Makes an incoming webhook, at most 50 in a community. Its API key is in this answer alone.
#[utoipa::path(
    post,
    path = "/webhooks/incoming",
    tag = "Webhooks",
    request_body(content = NewIncoming, example = json!({
        "name": "News", "kind": "send_message",
        "settings": { "channelId": "ca0000000000000000000001", "sender": "newsbot" }
    })),
    responses((status = 201, description = "Made", body = Application<IncomingRecord>, example = json!({
        "meta": { "status": "success", "statusCode": 201 },
        "message": "Create incoming webhook success.",
        "data": {
            "_id": "f10000000000000000000001", "communityID": "c00000000000000000000001",
            "name": "News", "kind": "send_message",
            "url": "https://api.example.com/v1/webhooks/incoming/q7w2e9r4t6y1u8i3o5p0a2s4d6f8g1h3",
            "settings": {
                "channelId": "ca0000000000000000000001", "allowedChannelIds": [],
                "sender": "newsbot", "allowedFields": [], "allowedCurrencies": []
            },
            "apiKeyEnabled": true, "encryption": { "isEnabled": false, "mode": "gcm" },
            "isEnabled": true, "createdAt": "2026-01-02T03:04:05.678Z",
            "updatedAt": "2026-01-02T03:04:05.678Z", "lastUsedAt": null,
            "apiKey": "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
        }
    })))
)]
async fn create(
    State(services): State<Services>,
    call: Call,
    url: PublicUrl,
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
    let body = Application::created("Create incoming webhook success.", record);
    Ok((StatusCode::CREATED, replayed, Json(body)))
}

/// One incoming webhook.
#[utoipa::path(
    get,
    path = "/webhooks/incoming/{webhookId}",
    tag = "Webhooks",
    params(("webhookId" = String, Path, description = "24 hexadecimal characters")),
    responses((status = 200, description = "The webhook", body = Application<IncomingRecord>, example = json!({
        "meta": { "status": "success", "statusCode": 200 },
        "message": "Read incoming webhook success.",
        "data": {
            "_id": "f10000000000000000000001", "communityID": "c00000000000000000000001",
            "name": "Scores", "kind": "update_currency",
            "url": "https://api.example.com/v1/webhooks/incoming/q7w2e9r4t6y1u8i3o5p0a2s4d6f8g1h3",
            "settings": {
                "channelId": null, "allowedChannelIds": [], "sender": null,
                "allowedFields": [], "allowedCurrencies": ["coins"]
            },
            "apiKeyEnabled": true, "encryption": { "isEnabled": true, "mode": "gcm" },
            "isEnabled": true, "createdAt": "2026-01-02T03:04:05.678Z",
            "updatedAt": "2026-01-02T03:04:05.678Z", "lastUsedAt": "2026-01-03T04:05:06.789Z"
        }
    })))
)]
async fn get(
    State(services): State<Services>,
    call: Call,
    url: PublicUrl,
    Segments(webhook): Segments<String>,
) -> Result<Json<Application<IncomingRecord>>> {
    let id = id::<WebhookId>("webhookId", &webhook)?.to_string();
    let request = call.request(GetIncomingWebhookRequest { id });
    let answer = services
        .incoming_webhooks()
        .get_incoming_webhook(request)
        .await?;
    let webhook = sent(answer.into_inner().webhook, "a webhook")?;
    let record = IncomingRecord::new(webhook, &url);
    Ok(Json(Application::new(
        "Read incoming webhook success.",
        record,
    )))
}

/// Changes an incoming webhook. A new API key is in this answer alone.
#[utoipa::path(
    patch,
    path = "/webhooks/incoming/{webhookId}",
    tag = "Webhooks",
    params(("webhookId" = String, Path, description = "24 hexadecimal characters")),
    request_body(content = IncomingChange, example = json!({ "isEnabled": false })),
    responses((status = 200, description = "Changed", body = Application<IncomingRecord>, example = json!({
        "meta": { "status": "success", "statusCode": 200 },
        "message": "Update incoming webhook success.",
        "data": {
            "_id": "f10000000000000000000001", "communityID": "c00000000000000000000001",
            "name": "News", "kind": "send_message",
            "url": "https://api.example.com/v1/webhooks/incoming/q7w2e9r4t6y1u8i3o5p0a2s4d6f8g1h3",
            "settings": {
                "channelId": "ca0000000000000000000001", "allowedChannelIds": [],
                "sender": "newsbot", "allowedFields": [], "allowedCurrencies": []
            },
            "apiKeyEnabled": true, "encryption": { "isEnabled": false, "mode": "gcm" },
            "isEnabled": false, "createdAt": "2026-01-02T03:04:05.678Z",
            "updatedAt": "2026-01-04T05:06:07.890Z", "lastUsedAt": "2026-01-03T04:05:06.789Z"
        }
    })))
)]
async fn update(
    State(services): State<Services>,
    call: Call,
    url: PublicUrl,
    Segments(webhook): Segments<String>,
    Input(change): Input<IncomingChange>,
) -> Result<Json<Application<IncomingRecord>>> {
    let id = id::<WebhookId>("webhookId", &webhook)?;
    let request = call.request(change.into_request(id));
    let answer = services
        .incoming_webhooks()
        .update_incoming_webhook(request)
        .await?;
    let answer = answer.into_inner();
    let webhook = sent(answer.webhook, "the changed webhook")?;
    let record = IncomingRecord::new(webhook, &url).with_key(answer.api_key);
    Ok(Json(Application::new(
        "Update incoming webhook success.",
        record,
    )))
}

/// Deletes an incoming webhook; its url is unknown from then on.
#[utoipa::path(
    delete,
    path = "/webhooks/incoming/{webhookId}",
    tag = "Webhooks",
    params(("webhookId" = String, Path, description = "24 hexadecimal characters")),
    responses((status = 200, description = "Deleted", body = Application<DeletedWebhook>, example = json!({
        "meta": { "status": "success", "statusCode": 200 },
        "message": "Delete incoming webhook success.",
        "data": { "_id": "f10000000000000000000001" }
    })))
)]
async fn delete(
    State(services): State<Services>,
    call: Call,
    Segments(webhook): Segments<String>,
) -> Result<Json<Application<DeletedWebhook>>> {
    let id = id::<WebhookId>("webhookId", &webhook)?.to_string();
    let request = call.request(DeleteIncomingWebhookRequest { id: id.clone() });
    services
        .incoming_webhooks()
        .delete_incoming_webhook(request)
        .await?;
    let deleted = DeletedWebhook { id };
    Ok(Json(Application::new(
        "Delete incoming webhook success.",
        deleted,
    )))
}
