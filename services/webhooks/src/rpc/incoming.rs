//! Managing incoming webhooks (contract: events, part 2).

use guildhall_auth::{CallerExt, caller::answer};
use guildhall_data::{Claim, CommunityId, Database, WebhookId, idempotency::Answer, page};
use guildhall_proto::webhooks::v1::{
    CreateIncomingWebhookRequest, CreateIncomingWebhookResponse, DeleteIncomingWebhookRequest,
    DeleteIncomingWebhookResponse, GetIncomingWebhookRequest, GetIncomingWebhookResponse,
    ListIncomingWebhooksRequest, ListIncomingWebhooksResponse, ReceiveCallRequest,
    ReceiveCallResponse, UpdateIncomingWebhookRequest, UpdateIncomingWebhookResponse,
    incoming_webhook_service_server::IncomingWebhookService,
};
use guildhall_runtime::{Error, Result, Timestamp};
use prost::Message;
use tonic::{Request, Response, Status};

use crate::{
    Webhooks,
    domain::{
        Address, ApiKey,
        incoming::{Wanted, change},
    },
    present,
    store::{
        incoming::{self, Model},
        quotas::{self, Resource},
    },
};

const CREATE: &str = "/guildhall.webhooks.v1.IncomingWebhookService/CreateIncomingWebhook";
const UPDATE: &str = "/guildhall.webhooks.v1.IncomingWebhookService/UpdateIncomingWebhook";
/// Webhooks of a page when the request does not say.
const DEFAULT_PAGE: u64 = 20;
/// Webhooks of a page at most.
const MAX_PAGE: u64 = 100;

#[tonic::async_trait]
impl IncomingWebhookService for Webhooks {
    async fn list_incoming_webhooks(
        &self,
        request: Request<ListIncomingWebhooksRequest>,
    ) -> Result<Response<ListIncomingWebhooksResponse>, Status> {
        let community = request.caller()?.community;
        Ok(self.list_incoming(community, request.into_inner()).await?)
    }

    async fn create_incoming_webhook(
        &self,
        request: Request<CreateIncomingWebhookRequest>,
    ) -> Result<Response<CreateIncomingWebhookResponse>, Status> {
        Ok(self.create_incoming(request).await?)
    }

    async fn get_incoming_webhook(
        &self,
        request: Request<GetIncomingWebhookRequest>,
    ) -> Result<Response<GetIncomingWebhookResponse>, Status> {
        let community = request.caller()?.community;
        let id = request.into_inner().id.parse()?;
        let webhook = incoming::find(self.0.database.reader(), community, id).await?;
        Ok(Response::new(GetIncomingWebhookResponse {
            webhook: Some(present::incoming(webhook)?),
        }))
    }

    async fn update_incoming_webhook(
        &self,
        request: Request<UpdateIncomingWebhookRequest>,
    ) -> Result<Response<UpdateIncomingWebhookResponse>, Status> {
        Ok(self.update_incoming(request).await?)
    }

    async fn delete_incoming_webhook(
        &self,
        request: Request<DeleteIncomingWebhookRequest>,
    ) -> Result<Response<DeleteIncomingWebhookResponse>, Status> {
        let community = request.caller()?.community;
        let id = request.into_inner().id.parse()?;
        let transaction = self.0.database.begin().await?;
        incoming::delete(&transaction, community, id).await?;
        Database::commit(transaction).await?;
        Ok(Response::new(DeleteIncomingWebhookResponse {}))
    }

    async fn receive_call(
        &self,
        request: Request<ReceiveCallRequest>,
    ) -> Result<Response<ReceiveCallResponse>, Status> {
        Ok(self.receive(request.into_inner()).await?)
    }
}

impl Webhooks {
    async fn list_incoming(
        &self,
        community: CommunityId,
        request: ListIncomingWebhooksRequest,
    ) -> Result<Response<ListIncomingWebhooksResponse>> {
        let size = page::size(request.page_size, DEFAULT_PAGE, MAX_PAGE)?;
        let skip = u64::try_from(request.skip)
            .map_err(|_| Error::invalid("skip", "skip must not be negative"))?;
        let after = page::decode::<(i64, String)>(&request.page_token)?;
        let after = after
            .map(|(at, id)| id.parse().map(|id| (at, id)))
            .transpose()?;
        let connection = self.0.database.reader();
        let rows = incoming::list(connection, community, after, skip, size + 1).await?;
        let total_size = quotas::used(connection, community, Resource::IncomingWebhook).await?;
        let (rows, next_page_token) =
            page::cut(rows, size, |row| (row.created_at, row.id.to_string()));
        let webhooks = rows.into_iter().map(present::incoming);
        Ok(Response::new(ListIncomingWebhooksResponse {
            webhooks: webhooks.collect::<Result<_>>()?,
            next_page_token,
            total_size,
        }))
    }

    async fn create_incoming(
        &self,
        request: Request<CreateIncomingWebhookRequest>,
    ) -> Result<Response<CreateIncomingWebhookResponse>> {
        let (caller, key) = (request.caller()?, request.idempotency_key()?);
        let request = request.into_inner();
        let idempotency = &self.0.idempotency;
        let claim = idempotency.claim(key, CREATE, &request, Answer::Secret);
        let ticket = match claim.await? {
            Claim::First(ticket) => ticket,
            Claim::Replay(first) => return Ok(answer(first, true)),
        };
        let wanted = Wanted::parse(request.spec.unwrap_or_default(), false)?;
        let mut webhook = new_webhook(caller.community, &wanted)?;
        let api_key = self.set(&mut webhook, wanted, false)?;
        let transaction = self.0.database.begin().await?;
        incoming::insert(&transaction, &webhook).await?;
        let response = CreateIncomingWebhookResponse {
            webhook: Some(present::incoming(webhook)?),
            api_key: shown(api_key),
        };
        ticket.record(&transaction, &response).await?;
        Database::commit(transaction).await?;
        Ok(answer(response, false))
    }

    async fn update_incoming(
        &self,
        request: Request<UpdateIncomingWebhookRequest>,
    ) -> Result<Response<UpdateIncomingWebhookResponse>> {
        let (caller, key) = (request.caller()?, request.idempotency_key()?);
        let request = request.into_inner();
        let idempotency = &self.0.idempotency;
        let claim = idempotency.claim(key, UPDATE, &request, Answer::Secret);
        let ticket = match claim.await? {
            Claim::First(ticket) => ticket,
            Claim::Replay(first) => return Ok(answer(first, true)),
        };
        let id = request.id.parse()?;
        let transaction = self.0.database.begin().await?;
        let mut webhook = incoming::hold(&transaction, caller.community, id).await?;
        let api_key = self.change_incoming(&mut webhook, request)?;
        incoming::update(&transaction, &webhook).await?;
        let response = UpdateIncomingWebhookResponse {
            webhook: Some(present::incoming(webhook)?),
            api_key: shown(api_key),
        };
        ticket.record(&transaction, &response).await?;
        Database::commit(transaction).await?;
        Ok(answer(response, false))
    }

    /// Changes a webhook as asked; its new API key, when it gets one.
    fn change_incoming(
        &self,
        webhook: &mut Model,
        request: UpdateIncomingWebhookRequest,
    ) -> Result<Option<ApiKey>> {
        let mut spec = present::incoming_spec(webhook)?;
        let paths = request.update_mask.unwrap_or_default().paths;
        change(&mut spec, request.spec.unwrap_or_default(), &paths)?;
        let wanted = Wanted::parse(spec, webhook.encryption_key.is_some())?;
        self.set(webhook, wanted, request.rotate_api_key)
    }

    /// Makes a webhook what is wanted. It gets an API key when it needs its first one, and when it
    /// shall have another.
    fn set(&self, webhook: &mut Model, wanted: Wanted, rotate: bool) -> Result<Option<ApiKey>> {
        webhook.name = wanted.name;
        webhook.settings = wanted.settings.to_proto().encode_to_vec();
        webhook.api_key_enabled = wanted.api_key_enabled;
        webhook.encryption_enabled = wanted.encryption.enabled;
        webhook.encryption_mode = wanted.encryption.mode;
        webhook.enabled = wanted.enabled;
        webhook.updated_at = Timestamp::now().as_millis();
        if let Some(key) = &wanted.encryption.key {
            webhook.encryption_key = Some(self.0.sealer.seal(key.as_bytes())?);
        }
        let needs_first = webhook.api_key_enabled && webhook.api_key_digest.is_none();
        if !needs_first && !rotate {
            return Ok(None);
        }
        let key = ApiKey::generate()?;
        webhook.api_key_digest = Some(key.digest());
        Ok(Some(key))
    }
}

/// A webhook at an address of its own, which is yet to become what is wanted.
fn new_webhook(community: CommunityId, wanted: &Wanted) -> Result<Model> {
    let now = Timestamp::now().as_millis();
    Ok(Model {
        community_id: community,
        id: WebhookId::generate(),
        name: String::new(),
        kind: wanted.kind,
        address: Address::generate()?.into_string(),
        settings: Vec::new(),
        api_key_enabled: false,
        api_key_digest: None,
        encryption_enabled: false,
        encryption_mode: wanted.encryption.mode,
        encryption_key: None,
        enabled: true,
        created_at: now,
        updated_at: now,
        last_used_at: None,
    })
}

/// A key as its one answer shows it.
fn shown(key: Option<ApiKey>) -> String {
    key.map(|key| key.reveal().to_string()).unwrap_or_default()
}
