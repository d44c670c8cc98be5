//! Managing incoming webhooks (contract: events, "webhooks-in-…").

use axum::extract::State;
use guildhall_proto::webhooks::v1::{
    CreateIncomingWebhookRequest, DeleteIncomingWebhookRequest, GetIncomingWebhookRequest,
    ListIncomingWebhooksRequest, UpdateIncomingWebhookRequest,
};
use guildhall_runtime::Reason;
use guildhall_types::{WebhookId, id};

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
        mask,
        page::{Page, PageQuery},
    },
    extract::{Input, Query, Segments},
    failure::{Result, sent},
    public_url::PublicUrl,
    sample,
    upstream::IncomingWebhooks,
};

/// What one is called in answers, and several.
const NAME: &str = "incoming webhook";
const NAMES: &str = "incoming webhooks";
/// What callers call the fields of a webhook.
const FIELDS: FieldNames = &[
    ("enabled", "isEnabled"),
    ("encryption.enabled", "encryption.isEnabled"),
];

pub fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::new("webhooks-in-list", list, || {
            ApplicationPage::read(NAMES, Page::default().of(1), [example()])
        })
        .about("The community's incoming webhooks, oldest first.")
        .calls("/guildhall.webhooks.v1.IncomingWebhookService/ListIncomingWebhooks")
        .naming(&[("skip", "page")]),
        Endpoint::taking("webhooks-in-create", create, NewIncoming::example, || {
            Application::created(NAME, example().with_key(sample::KEY.into()))
        })
        .about("Makes an incoming webhook, at most 50 in a community. Its API key is in this answer alone.")
        .calls("/guildhall.webhooks.v1.IncomingWebhookService/CreateIncomingWebhook")
        .naming(FIELDS)
        .refusing(&[Reason::ChannelNotFound]),
        Endpoint::new("webhooks-in-get", get, || Application::read(NAME, example()))
            .about("One incoming webhook.")
            .calls("/guildhall.webhooks.v1.IncomingWebhookService/GetIncomingWebhook")
            .refusing(&[Reason::WebhookNotFound]),
        Endpoint::taking("webhooks-in-update", update, IncomingChange::example, || {
            Application::updated(NAME, example())
        })
        .about("Changes an incoming webhook. A new API key is in this answer alone.")
        .calls("/guildhall.webhooks.v1.IncomingWebhookService/UpdateIncomingWebhook")
        .naming(FIELDS)
        .refusing(&[Reason::WebhookNotFound]),
        Endpoint::new("webhooks-in-delete", delete, || {
            Application::deleted(NAME, DeletedWebhook::example())
        })
        .about("Deletes an incoming webhook; its url is unknown from then on.")
        .calls("/guildhall.webhooks.v1.IncomingWebhookService/DeleteIncomingWebhook")
        .refusing(&[Reason::WebhookNotFound]),
    ]
}

fn example() -> IncomingRecord {
    IncomingRecord::new(sample::incoming_webhook(), &"https://api.example.com")
}

async fn list(
    State(mut webhooks): State<IncomingWebhooks>,
    call: Call,
    State(url): State<PublicUrl>,
    Query(query): Query<PageQuery>,
) -> Result<ApplicationPage<IncomingRecord>> {
    let page = query.page()?;
    let request = call.request(ListIncomingWebhooksRequest {
        page_size: page.size(),
        page_token: String::new(),
        skip: page.skip(),
    });
    let answer = webhooks.list_incoming_webhooks(request).await?.into_inner();
    let records = answer.webhooks.into_iter();
    let records = records.map(|webhook| IncomingRecord::new(webhook, &url));
    Ok(ApplicationPage::read(
        NAMES,
        page.of(answer.total_size),
        records,
    ))
}

async fn create(
    State(mut webhooks): State<IncomingWebhooks>,
    call: Call,
    State(url): State<PublicUrl>,
    Input(new): Input<NewIncoming>,
) -> Result<(Replayed, Application<IncomingRecord>)> {
    let spec = Some(new.into());
    let request = call.request(CreateIncomingWebhookRequest { spec });
    let answer = webhooks.create_incoming_webhook(request).await?;
    let replayed = Replayed::of(&answer);
    let answer = answer.into_inner();
    let webhook = sent(answer.webhook, "the new webhook")?;
    let record = IncomingRecord::new(webhook, &url).with_key(answer.api_key);
    Ok((replayed, Application::created(NAME, record)))
}

async fn get(
    State(mut webhooks): State<IncomingWebhooks>,
    call: Call,
    State(url): State<PublicUrl>,
    Segments(webhook): Segments<String>,
) -> Result<Application<IncomingRecord>> {
    let id = id::parse::<WebhookId>("webhookId", &webhook)?.to_string();
    let request = call.request(GetIncomingWebhookRequest { id });
    let answer = webhooks.get_incoming_webhook(request).await?;
    let webhook = sent(answer.into_inner().webhook, "a webhook")?;
    Ok(Application::read(NAME, IncomingRecord::new(webhook, &url)))
}

async fn update(
    State(mut webhooks): State<IncomingWebhooks>,
    call: Call,
    State(url): State<PublicUrl>,
    Segments(webhook): Segments<String>,
    Input(mut change): Input<IncomingChange>,
) -> Result<Application<IncomingRecord>> {
    let request = call.request(UpdateIncomingWebhookRequest {
        id: id::parse::<WebhookId>("webhookId", &webhook)?.to_string(),
        rotate_api_key: change.rotate_api_key.take().unwrap_or_default(),
        update_mask: Some(mask(&change, FIELDS)?),
        spec: Some(change.into()),
    });
    let answer = webhooks
        .update_incoming_webhook(request)
        .await?
        .into_inner();
    let webhook = sent(answer.webhook, "the changed webhook")?;
    let record = IncomingRecord::new(webhook, &url).with_key(answer.api_key);
    Ok(Application::updated(NAME, record))
}

async fn delete(
    State(mut webhooks): State<IncomingWebhooks>,
    call: Call,
    Segments(webhook): Segments<String>,
) -> Result<Application<DeletedWebhook>> {
    let id = id::parse::<WebhookId>("webhookId", &webhook)?.to_string();
    let request = call.request(DeleteIncomingWebhookRequest { id: id.clone() });
    webhooks.delete_incoming_webhook(request).await?;
    Ok(Application::deleted(NAME, DeletedWebhook { id }))
}
