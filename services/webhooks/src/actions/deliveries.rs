//! Looking at deliveries, and queueing them again.

use guildhall_auth::CallerExt;
use guildhall_data::{PageRequest, Resource, WebhookId, id, idempotency::Answer};
use guildhall_proto::webhooks::v1::{
    ListDeliveriesRequest, ListDeliveriesResponse, RedeliverDeliveryRequest,
    RedeliverDeliveryResponse,
};
use guildhall_runtime::{Error, Reason, Result};
use guildhall_types::ProtoEnum as _;
use tonic::{Request, Response};

use super::LIMITS;
use crate::{
    Webhooks,
    domain::EventKind,
    present,
    store::{
        deliveries::{self, listing},
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
            if !receiver.enabled {
                return Err(Error::new(Reason::WrongState, "The webhook is disabled"));
            }
            let queued = deliveries::queue_again(&transaction, community, webhook, id).await?;
            let answer = RedeliverDeliveryResponse {
                delivery: Some(present::delivery(queued.into())),
            };
            let queued = write.finish(transaction, answer).await?;
            self.wake([(community, webhook)]);
            Ok(queued)
        });
        write.await
    }
}

fn filter(webhook: WebhookId, request: &ListDeliveriesRequest) -> Result<listing::Filter> {
    Ok(listing::Filter {
        webhook,
        kind: EventKind::read("event", request.event)?,
        status: deliveries::Status::read("status", request.status)?,
    })
}
