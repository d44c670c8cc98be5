//! Managing outgoing webhooks, and looking at their deliveries.

use guildhall_auth::{CallerExt, caller::answer};
use guildhall_data::{Claim, CommunityId, DeliveryId, WebhookId, idempotency::Answer, page};
use guildhall_proto::webhooks::v1::{
    CreateOutgoingWebhookRequest, CreateOutgoingWebhookResponse, DeleteOutgoingWebhookRequest,
    DeleteOutgoingWebhookResponse, DeliveryStatus, EventKind as KindProto,
    GetOutgoingWebhookRequest, GetOutgoingWebhookResponse, ListDeliveriesRequest,
    ListDeliveriesResponse, ListOutgoingWebhooksRequest, ListOutgoingWebhooksResponse,
    RedeliverDeliveryRequest, RedeliverDeliveryResponse, UpdateOutgoingWebhookRequest,
    UpdateOutgoingWebhookResponse, outgoing_webhook_service_server::OutgoingWebhookService,
};
use guildhall_runtime::{Error, Result};
use tonic::{Request, Response, Status};

use crate::{
    Webhooks,
    domain::{
        EventKind,
        outgoing::{Change, Fields},
    },
    present,
    store::{
        deliveries::{self, listing},
        outgoing,
    },
};

const CREATE: &str = "/guildhall.webhooks.v1.OutgoingWebhookService/CreateOutgoingWebhook";
const UPDATE: &str = "/guildhall.webhooks.v1.OutgoingWebhookService/UpdateOutgoingWebhook";
const REDELIVER: &str = "/guildhall.webhooks.v1.OutgoingWebhookService/RedeliverDelivery";
/// Records of a page when the request does not say.
const DEFAULT_PAGE: u64 = 20;
/// Records of a page at most.
const MAX_PAGE: u64 = 100;
/// Records that a request may leave out before the page.
const MAX_SKIP: u64 = 10_000;

#[tonic::async_trait]
impl OutgoingWebhookService for Webhooks {
    async fn list_outgoing_webhooks(
        &self,
        request: Request<ListOutgoingWebhooksRequest>,
    ) -> Result<Response<ListOutgoingWebhooksResponse>, Status> {
        let caller = request.caller()?;
        let request = request.into_inner();
        let (size, skip) = (size(request.page_size)?, skip(request.skip)?);
        let after = page::decode::<String>(&request.page_token)?;
        let all = outgoing::all(self.0.database.reader(), caller.community).await?;
        let total_size = i32::try_from(all.len()).unwrap_or(i32::MAX);
        let is_behind = |webhook: &outgoing::Model| {
            let after = after.as_ref();
            after.is_none_or(|after| webhook.id.to_string() > *after)
        };
        let rest = all.into_iter().filter(is_behind).skip(skip as usize);
        let (rows, next_page_token) = page::cut(rest.collect(), size, |row| row.id.to_string());
        Ok(Response::new(ListOutgoingWebhooksResponse {
            webhooks: rows.into_iter().map(present::outgoing_webhook).collect(),
            next_page_token,
            total_size,
        }))
    }

    async fn create_outgoing_webhook(
        &self,
        request: Request<CreateOutgoingWebhookRequest>,
    ) -> Result<Response<CreateOutgoingWebhookResponse>, Status> {
        Ok(self.create(request).await?)
    }

    async fn get_outgoing_webhook(
        &self,
        request: Request<GetOutgoingWebhookRequest>,
    ) -> Result<Response<GetOutgoingWebhookResponse>, Status> {
        let caller = request.caller()?;
        let id = request.into_inner().id.parse()?;
        let webhook = self.outgoing(caller.community, id).await?;
        Ok(Response::new(GetOutgoingWebhookResponse {
            webhook: Some(present::outgoing_webhook(webhook)),
        }))
    }

    async fn update_outgoing_webhook(
        &self,
        request: Request<UpdateOutgoingWebhookRequest>,
    ) -> Result<Response<UpdateOutgoingWebhookResponse>, Status> {
        Ok(self.update(request).await?)
    }

    async fn delete_outgoing_webhook(
        &self,
        request: Request<DeleteOutgoingWebhookRequest>,
    ) -> Result<Response<DeleteOutgoingWebhookResponse>, Status> {
        let caller = request.caller()?;
        let id = request.into_inner().id.parse()?;
        self.delete_outgoing(caller.community, id).await?;
        Ok(Response::new(DeleteOutgoingWebhookResponse {}))
    }

    async fn list_deliveries(
        &self,
        request: Request<ListDeliveriesRequest>,
    ) -> Result<Response<ListDeliveriesResponse>, Status> {
        let caller = request.caller()?;
        Ok(Response::new(
            self.deliveries(caller.community, request.into_inner())
                .await?,
        ))
    }

    async fn redeliver_delivery(
        &self,
        request: Request<RedeliverDeliveryRequest>,
    ) -> Result<Response<RedeliverDeliveryResponse>, Status> {
        Ok(self.queue_again(request).await?)
    }
}

impl Webhooks {
    async fn create(
        &self,
        request: Request<CreateOutgoingWebhookRequest>,
    ) -> Result<Response<CreateOutgoingWebhookResponse>> {
        let (caller, key) = (request.caller()?, request.idempotency_key()?);
        let request = request.into_inner();
        let idempotency = &self.0.idempotency;
        let claim = idempotency.claim(key, CREATE, &request, Answer::Secret);
        let ticket = match claim.await? {
            Claim::First(ticket) => ticket,
            Claim::Replay(first) => return Ok(answer(first, true)),
        };
        let allow_private = self.0.settings.allow_private;
        let change = Change::parse(request.spec, &Fields::all(), allow_private)?;
        let shown = |webhook, secret: Text| CreateOutgoingWebhookResponse {
            webhook: Some(present::outgoing_webhook(webhook)),
            secret: secret.to_string(),
        };
        let made = self.create_outgoing(caller.community, change, &ticket, shown);
        Ok(answer(made.await?, false))
    }

    async fn update(
        &self,
        request: Request<UpdateOutgoingWebhookRequest>,
    ) -> Result<Response<UpdateOutgoingWebhookResponse>> {
        let (caller, key) = (request.caller()?, request.idempotency_key()?);
        let request = request.into_inner();
        let idempotency = &self.0.idempotency;
        let claim = idempotency.claim(key, UPDATE, &request, Answer::Secret);
        let ticket = match claim.await? {
            Claim::First(ticket) => ticket,
            Claim::Replay(first) => return Ok(answer(first, true)),
        };
        let (id, rotate) = (request.id.parse()?, request.rotate_secret);
        let fields = Fields::of(request.update_mask)?;
        let change = Change::parse(request.spec, &fields, self.0.settings.allow_private)?;
        let shown = |webhook, secret: Option<Text>| UpdateOutgoingWebhookResponse {
            webhook: Some(present::outgoing_webhook(webhook)),
            secret: secret.map(|secret| secret.to_string()).unwrap_or_default(),
        };
        let which = (caller.community, id);
        let changed = self.update_outgoing(which, change, rotate, &ticket, shown);
        Ok(answer(changed.await?, false))
    }

    async fn outgoing(&self, community: CommunityId, id: WebhookId) -> Result<outgoing::Model> {
        let webhook = outgoing::get(self.0.database.reader(), community, id).await?;
        webhook.ok_or_else(outgoing::not_found)
    }

    async fn deliveries(
        &self,
        community: CommunityId,
        request: ListDeliveriesRequest,
    ) -> Result<ListDeliveriesResponse> {
        let (size, skip) = (size(request.page_size)?, skip(request.skip)?);
        let before = page::decode::<String>(&request.page_token)?;
        let before: Option<DeliveryId> = before.map(|id| id.parse()).transpose()?;
        let webhook = self
            .outgoing(community, request.webhook_id.parse()?)
            .await?;
        let filter = filter(webhook.id, &request)?;
        let reader = self.0.database.reader();
        let rows = listing::page(reader, community, filter, before, skip, size + 1).await?;
        let total = listing::count(reader, community, filter).await?;
        let (rows, next_page_token) = page::cut(rows, size, |row| row.id.to_string());
        Ok(ListDeliveriesResponse {
            deliveries: rows.into_iter().map(present::delivery).collect(),
            next_page_token,
            total_size: i32::try_from(total).unwrap_or(i32::MAX),
        })
    }

    async fn queue_again(
        &self,
        request: Request<RedeliverDeliveryRequest>,
    ) -> Result<Response<RedeliverDeliveryResponse>> {
        let (caller, key) = (request.caller()?, request.idempotency_key()?);
        let request = request.into_inner();
        let idempotency = &self.0.idempotency;
        let claim = idempotency.claim(key, REDELIVER, &request, Answer::Plain);
        let ticket = match claim.await? {
            Claim::First(ticket) => ticket,
            Claim::Replay(first) => return Ok(answer(first, true)),
        };
        let webhook = (caller.community, request.webhook_id.parse()?);
        let delivery = request.delivery_id.parse()?;
        let shown = |queued: deliveries::Model| RedeliverDeliveryResponse {
            delivery: Some(present::delivery(queued.into())),
        };
        let queued = self.redeliver(webhook, delivery, &ticket, shown);
        Ok(answer(queued.await?, false))
    }
}

type Text = zeroize::Zeroizing<String>;

fn size(requested: i32) -> Result<u64> {
    page::size(requested, DEFAULT_PAGE, MAX_PAGE)
}

fn skip(requested: i32) -> Result<u64> {
    let skip = u64::try_from(requested).ok();
    let wrong = || Error::invalid("skip", format!("skip must be 0 to {MAX_SKIP}"));
    skip.filter(|skip| *skip <= MAX_SKIP).ok_or_else(wrong)
}

fn filter(webhook: WebhookId, request: &ListDeliveriesRequest) -> Result<listing::Filter> {
    let unknown = |field| Error::invalid(field, format!("{field} is not one that there is"));
    let kind = KindProto::try_from(request.event).map_err(|_| unknown("event"))?;
    let status = DeliveryStatus::try_from(request.status).map_err(|_| unknown("status"))?;
    Ok(listing::Filter {
        webhook,
        kind: EventKind::from_proto(kind),
        status: match status {
            DeliveryStatus::Unspecified => None,
            DeliveryStatus::Pending => Some(deliveries::Status::Pending),
            DeliveryStatus::Success => Some(deliveries::Status::Success),
            DeliveryStatus::Failed => Some(deliveries::Status::Failed),
        },
    })
}
