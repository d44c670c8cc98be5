//! Managing outgoing webhooks (contract: events, "webhooks-out-…").

use axum::{Json, extract::State};
use guildhall_proto::webhooks::v1::{
    CreateOutgoingWebhookRequest, DeleteOutgoingWebhookRequest, GetOutgoingWebhookRequest,
    ListOutgoingWebhooksRequest,
};
use guildhall_runtime::Reason;
use guildhall_types::WebhookId;
use http::StatusCode;
use utoipa_axum::routes;

use super::{
    DeletedWebhook, admins,
    outgoing_record::{NewOutgoing, OutgoingChange, OutgoingRecord},
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
    upstream::Services,
};

/// What callers call the fields of a webhook.
const NAMES: FieldNames = &[
    ("channel_ids", "channelIds"),
    ("ignored_incoming_ids", "ignoreIncomingIds"),
    ("api_key", "apiKey"),
    ("enabled", "isEnabled"),
    ("encryption.enabled", "encryption.isEnabled"),
    ("joins_on_bulk_import", "joinOnBulkImport"),
];

pub fn endpoints() -> Vec<Endpoint> {
    let endpoint = |id, title, handler, rpc| {
        Endpoint::new(id, title, Family::Application, admins(), handler)
            .calls(rpc)
            .naming(NAMES)
    };
    vec![
        endpoint(
            "webhooks-out-list",
            "List outgoing webhooks",
            routes!(list),
            "/guildhall.webhooks.v1.OutgoingWebhookService/ListOutgoingWebhooks",
        ),
        endpoint(
            "webhooks-out-create",
            "Create outgoing webhook",
            routes!(create),
            "/guildhall.webhooks.v1.OutgoingWebhookService/CreateOutgoingWebhook",
        )
        .refusing(&[Reason::InvalidValue, Reason::AlreadyExists]),
        endpoint(
            "webhooks-out-get",
            "Get outgoing webhook",
            routes!(get),
            "/guildhall.webhooks.v1.OutgoingWebhookService/GetOutgoingWebhook",
        )
        .refusing(&[Reason::WebhookNotFound]),
        endpoint(
            "webhooks-out-update",
            "Update outgoing webhook",
            routes!(update),
            "/guildhall.webhooks.v1.OutgoingWebhookService/UpdateOutgoingWebhook",
        )
        .refusing(&[Reason::WebhookNotFound, Reason::AlreadyExists]),
        endpoint(
            "webhooks-out-delete",
            "Delete outgoing webhook",
            routes!(delete),
            "/guildhall.webhooks.v1.OutgoingWebhookService/DeleteOutgoingWebhook",
        )
        .refusing(&[Reason::WebhookNotFound]),
    ]
}

/// The community's outgoing webhooks, oldest first.
#[utoipa::path(
    get,
    path = "/webhooks/outgoing",
    tag = "Webhooks",
    params(PageQuery),
    responses((status = 200, description = "The webhooks", body = ApplicationPage<OutgoingRecord>, example = json!({
        "meta": { "status": "success", "statusCode": 200, "page": 1, "limit": 20, "total": 1, "totalPages": 1 },
        "message": "Read outgoing webhooks success.",
        "data": [{
            "_id": "f00000000000000000000001", "communityID": "c00000000000000000000001",
            "name": "CRM", "url": "https://crm.example.com/guildhall",
            "events": ["user_joined_community"], "channelIds": [], "ignoreIncomingIds": [],
            "isEnabled": true, "encryption": { "isEnabled": false, "mode": "gcm" },
            "hasSecret": true, "consecutiveFailures": 0, "disabledReason": null,
            "joinOnBulkImport": false, "createdAt": "2026-01-02T03:04:05.678Z",
            "updatedAt": "2026-01-02T03:04:05.678Z"
        }]
    })))
)]
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
    Ok(Json(ApplicationPage::new(
        "Read outgoing webhooks success.",
        page.of(answer.total_size),
        answer
            .webhooks
            .into_iter()
            .map(OutgoingRecord::from)
            .collect(),
    )))
}

/// Makes an outgoing webhook, at most 50 in a community. Its secret is in this answer alone.
#[utoipa::path(
    post,
    path = "/webhooks/outgoing",
    tag = "Webhooks",
    request_body(content = NewOutgoing, example = json!({
        "name": "CRM", "url": "https://crm.example.com/guildhall",
        "events": ["user_joined_community"]
    })),
    responses((status = 201, description = "Made", body = Application<OutgoingRecord>, example = json!({
        "meta": { "status": "success", "statusCode": 201 },
        "message": "Create outgoing webhook success.",
        "data": {
            "_id": "f00000000000000000000001", "communityID": "c00000000000000000000001",
            "name": "CRM", "url": "https://crm.example.com/guildhall",
            "events": ["user_joined_community"], "channelIds": [], "ignoreIncomingIds": [],
            "isEnabled": true, "encryption": { "isEnabled": false, "mode": "gcm" },
            "hasSecret": true, "consecutiveFailures": 0, "disabledReason": null,
            "joinOnBulkImport": false, "createdAt": "2026-01-02T03:04:05.678Z",
            "updatedAt": "2026-01-02T03:04:05.678Z",
            "secret": "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
        }
    })))
)]
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
    let body = Application::created("Create outgoing webhook success.", record);
    Ok((StatusCode::CREATED, replayed, Json(body)))
}

/// One outgoing webhook.
#[utoipa::path(
    get,
    path = "/webhooks/outgoing/{webhookId}",
    tag = "Webhooks",
    params(("webhookId" = String, Path, description = "24 hexadecimal characters")),
    responses((status = 200, description = "The webhook", body = Application<OutgoingRecord>, example = json!({
        "meta": { "status": "success", "statusCode": 200 },
        "message": "Read outgoing webhook success.",
        "data": {
            "_id": "f00000000000000000000001", "communityID": "c00000000000000000000001",
            "name": "CRM", "url": "https://crm.example.com/guildhall",
            "events": ["user_joined_community"], "channelIds": [], "ignoreIncomingIds": [],
            "isEnabled": false, "encryption": { "isEnabled": true, "mode": "cbc" },
            "hasSecret": true, "consecutiveFailures": 41, "disabledReason": "failing",
            "joinOnBulkImport": false, "createdAt": "2026-01-02T03:04:05.678Z",
            "updatedAt": "2026-01-07T03:04:05.678Z"
        }
    })))
)]
async fn get(
    State(services): State<Services>,
    call: Call,
    Segments(webhook): Segments<String>,
) -> Result<Json<Application<OutgoingRecord>>> {
    let id = id::<WebhookId>("webhookId", &webhook)?.to_string();
    let request = call.request(GetOutgoingWebhookRequest { id });
    let answer = services
        .outgoing_webhooks()
        .get_outgoing_webhook(request)
        .await?;
    let record = sent(answer.into_inner().webhook, "a webhook")?.into();
    Ok(Json(Application::new(
        "Read outgoing webhook success.",
        record,
    )))
}

/// Changes an outgoing webhook. A new secret is in this answer alone.
#[utoipa::path(
    patch,
    path = "/webhooks/outgoing/{webhookId}",
    tag = "Webhooks",
    params(("webhookId" = String, Path, description = "24 hexadecimal characters")),
    request_body(content = OutgoingChange, example = json!({ "isEnabled": true })),
    responses((status = 200, description = "Changed", body = Application<OutgoingRecord>, example = json!({
        "meta": { "status": "success", "statusCode": 200 },
        "message": "Update outgoing webhook success.",
        "data": {
            "_id": "f00000000000000000000001", "communityID": "c00000000000000000000001",
            "name": "CRM", "url": "https://crm.example.com/guildhall",
            "events": ["user_joined_community"], "channelIds": [], "ignoreIncomingIds": [],
            "isEnabled": true, "encryption": { "isEnabled": false, "mode": "gcm" },
            "hasSecret": true, "consecutiveFailures": 0, "disabledReason": null,
            "joinOnBulkImport": false, "createdAt": "2026-01-02T03:04:05.678Z",
            "updatedAt": "2026-01-08T03:04:05.678Z"
        }
    })))
)]
async fn update(
    State(services): State<Services>,
    call: Call,
    Segments(webhook): Segments<String>,
    Input(change): Input<OutgoingChange>,
) -> Result<Json<Application<OutgoingRecord>>> {
    let id = id::<WebhookId>("webhookId", &webhook)?;
    let request = call.request(change.into_request(id));
    let answer = services
        .outgoing_webhooks()
        .update_outgoing_webhook(request)
        .await?;
    let answer = answer.into_inner();
    let webhook = sent(answer.webhook, "the changed webhook")?;
    let record = OutgoingRecord::from(webhook).with_secret(answer.secret);
    Ok(Json(Application::new(
        "Update outgoing webhook success.",
        record,
    )))
}

/// Deletes an outgoing webhook; what still waits to be delivered to it is dropped.
#[utoipa::path(
    delete,
    path = "/webhooks/outgoing/{webhookId}",
    tag = "Webhooks",
    params(("webhookId" = String, Path, description = "24 hexadecimal characters")),
    responses((status = 200, description = "Deleted", body = Application<DeletedWebhook>, example = json!({
        "meta": { "status": "success", "statusCode": 200 },
        "message": "Delete outgoing webhook success.",
        "data": { "_id": "f00000000000000000000001" }
    })))
)]
async fn delete(
    State(services): State<Services>,
    call: Call,
    Segments(webhook): Segments<String>,
) -> Result<Json<Application<DeletedWebhook>>> {
    let id = id::<WebhookId>("webhookId", &webhook)?.to_string();
    let request = call.request(DeleteOutgoingWebhookRequest { id: id.clone() });
    services
        .outgoing_webhooks()
        .delete_outgoing_webhook(request)
        .await?;
    let deleted = DeletedWebhook { id };
    Ok(Json(Application::new(
        "Delete outgoing webhook success.",
        deleted,
    )))
}
