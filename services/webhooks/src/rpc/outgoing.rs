//! Managing outgoing webhooks, and looking at their deliveries.

use guildhall_auth::CallerExt;
use guildhall_data::id;
use guildhall_proto::webhooks::v1::{
    CreateOutgoingWebhookRequest, CreateOutgoingWebhookResponse, DeleteOutgoingWebhookRequest,
    DeleteOutgoingWebhookResponse, GetOutgoingWebhookRequest, GetOutgoingWebhookResponse,
    ListDeliveriesRequest, ListDeliveriesResponse, ListOutgoingWebhooksRequest,
    ListOutgoingWebhooksResponse, RedeliverDeliveryRequest, RedeliverDeliveryResponse,
    UpdateOutgoingWebhookRequest, UpdateOutgoingWebhookResponse,
    outgoing_webhook_service_server::OutgoingWebhookService,
};
use tonic::{Request, Response, Status};

use crate::Webhooks;

#[tonic::async_trait]
impl OutgoingWebhookService for Webhooks {
    async fn list_outgoing_webhooks(
        &self,
        request: Request<ListOutgoingWebhooksRequest>,
    ) -> Result<Response<ListOutgoingWebhooksResponse>, Status> {
        let community = request.caller()?.community;
        let listed = self.list_outgoing(community, request.into_inner()).await?;
        Ok(Response::new(listed))
    }

    async fn create_outgoing_webhook(
        &self,
        request: Request<CreateOutgoingWebhookRequest>,
    ) -> Result<Response<CreateOutgoingWebhookResponse>, Status> {
        Ok(self.create_outgoing(request).await?)
    }

    async fn get_outgoing_webhook(
        &self,
        request: Request<GetOutgoingWebhookRequest>,
    ) -> Result<Response<GetOutgoingWebhookResponse>, Status> {
        let community = request.caller()?.community;
        let id = id::parse("id", &request.into_inner().id)?;
        let webhook = Some(self.get_outgoing(community, id).await?);
        Ok(Response::new(GetOutgoingWebhookResponse { webhook }))
    }

    async fn update_outgoing_webhook(
        &self,
        request: Request<UpdateOutgoingWebhookRequest>,
    ) -> Result<Response<UpdateOutgoingWebhookResponse>, Status> {
        Ok(self.update_outgoing(request).await?)
    }

    async fn delete_outgoing_webhook(
        &self,
        request: Request<DeleteOutgoingWebhookRequest>,
    ) -> Result<Response<DeleteOutgoingWebhookResponse>, Status> {
        let community = request.caller()?.community;
        let id = id::parse("id", &request.into_inner().id)?;
        self.delete_outgoing(community, id).await?;
        Ok(Response::new(DeleteOutgoingWebhookResponse {}))
    }

    async fn list_deliveries(
        &self,
        request: Request<ListDeliveriesRequest>,
    ) -> Result<Response<ListDeliveriesResponse>, Status> {
        let community = request.caller()?.community;
        let listed = self.list_deliveries(community, request.into_inner());
        Ok(Response::new(listed.await?))
    }

    async fn redeliver_delivery(
        &self,
        request: Request<RedeliverDeliveryRequest>,
    ) -> Result<Response<RedeliverDeliveryResponse>, Status> {
        Ok(self.redeliver(request).await?)
    }
}
