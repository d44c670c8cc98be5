//! Looking at deliveries, and queueing them again.

use guildhall_auth::CallerExt;
use guildhall_data::{PageRequest, Resource, WebhookId, id, idempotency::Answer};
use guildhall_proto::webhooks::v1::{
    GetDeliveryRequest, GetDeliveryResponse, ListDeliveriesRequest, ListDeliveriesResponse,
    RecoverDeliveriesRequest, RecoverDeliveriesResponse, RedeliverDeliveryRequest,
    RedeliverDeliveryResponse,
};
use guildhall_runtime::{Error, Reason, Result, Timestamp};
use guildhall_types::ProtoEnum as _;
use tonic::{Request, Response};

use super::LIMITS;
use crate::{
    Webhooks,
    delivery::request,
    domain::EventKind,
    present,
    store::{
        deliveries::{self, again, listing},
        outgoing,
    },
};

impl Webhooks {
    /// The deliveries of a webhook, newest first.
    ///
    /// # Errors
    /// WEBHOOK_NOT_FOUND, INVALID_VALUE.
    pub(crate) async fn list_deliveries(
        &self,
        request: Request<ListDeliveriesRequest>,
    ) -> Result<Response<ListDeliveriesResponse>> {
        let community = request.caller()?.community;
        let request = request.into_inner();
        let (size, token) = (request.page_size, &request.page_token);
        let page = PageRequest::parse(LIMITS, size, token, request.skip)?;
        let reader = self.0.database.reader();
        let id = id::parse("webhook_id", &request.webhook_id)?;
        let webhook = outgoing::Entity::get(reader, community, id).await?;
        let filter = filter(webhook.id, &request)?;
        let deliveries = listing::list(reader, community, filter, &page).await?;
        let deliveries = deliveries.map(present::delivery);
        Ok(Response::new(ListDeliveriesResponse {
            deliveries: deliveries.rows,
            next_page_token: deliveries.next_page_token,
            total_size: listing::count(reader, community, filter).await?,
        }))
    }

    /// A delivery with what is sent and what came back.
    ///
    /// # Errors
    /// WEBHOOK_NOT_FOUND, DELIVERY_NOT_FOUND.
    pub(crate) async fn get_delivery(
        &self,
        request: Request<GetDeliveryRequest>,
    ) -> Result<Response<GetDeliveryResponse>> {
        let community = request.caller()?.community;
        let webhook = id::parse("webhook_id", &request.get_ref().webhook_id)?;
        let id = id::parse("delivery_id", &request.get_ref().delivery_id)?;
        let reader = self.0.database.reader();
        let receiver = outgoing::Entity::get(reader, community, webhook).await?;
        let delivery = deliveries::get(reader, community, webhook, id).await?;
        let at = delivery.attempted_at.map(Timestamp::from_millis);
        let at = at.unwrap_or_else(Timestamp::now);
        let headers = request::masked(&receiver, (&delivery).into(), at)?;
        Ok(Response::new(present::delivery_in_full(delivery, headers)))
    }

    /// Queues a delivery again, at once.
    ///
    /// # Errors
    /// WEBHOOK_NOT_FOUND, DELIVERY_NOT_FOUND, WRONG_STATE while an attempt is running or the
    /// webhook is off.
    pub(crate) async fn redeliver_delivery(
        &self,
        request: Request<RedeliverDeliveryRequest>,
    ) -> Result<Response<RedeliverDeliveryResponse>> {
        let writes = &self.0.writes;
        let write = writes.run(request, Answer::Plain, |write, request| async move {
            let community = write.caller.community;
            let webhook = id::parse("webhook_id", &request.webhook_id)?;
            let id = id::parse("delivery_id", &request.delivery_id)?;
            let transaction = write.begin().await?;
            let receiver = outgoing::Entity::get(&transaction, community, webhook).await?;
            check_enabled(&receiver)?;
            let queued = again::queue_one(&transaction, community, webhook, id).await?;
            let answer = RedeliverDeliveryResponse {
                delivery: Some(present::delivery(queued.into())),
            };
            let queued = write.finish(transaction, answer).await?;
            self.wake([(community, webhook)]);
            Ok(queued)
        });
        write.await
    }

    /// Queues all deliveries again that failed since a moment, at once.
    ///
    /// # Errors
    /// MISSING_FIELD, WEBHOOK_NOT_FOUND, WRONG_STATE while the webhook is off.
    pub(crate) async fn recover_deliveries(
        &self,
        request: Request<RecoverDeliveriesRequest>,
    ) -> Result<Response<RecoverDeliveriesResponse>> {
        let writes = &self.0.writes;
        let write = writes.run(request, Answer::Plain, |write, request| async move {
            let community = write.caller.community;
            let webhook = id::parse("webhook_id", &request.webhook_id)?;
            let since = request.since.ok_or_else(|| Error::missing("since"))?;
            let transaction = write.begin().await?;
            let receiver = outgoing::Entity::get(&transaction, community, webhook).await?;
            check_enabled(&receiver)?;
            let queued = again::queue_failed(&transaction, community, webhook, since.into());
            let queued = i32::try_from(queued.await?).map_err(Error::internal)?;
            let answer = RecoverDeliveriesResponse { queued };
            let finished = write.finish(transaction, answer).await?;
            self.wake([(community, webhook)]);
            Ok(finished)
        });
        write.await
    }
}

/// What is queued for a webhook that is off is given up at once.
///
/// # Errors
/// WRONG_STATE.
fn check_enabled(webhook: &outgoing::Model) -> Result<()> {
    match webhook.enabled {
        true => Ok(()),
        false => Err(Error::new(Reason::WrongState, "The webhook is disabled")),
    }
}

fn filter(webhook: WebhookId, request: &ListDeliveriesRequest) -> Result<listing::Filter> {
    Ok(listing::Filter {
        webhook,
        kind: EventKind::read("event", request.event)?,
        status: deliveries::Status::read("status", request.status)?,
    })
}
