//! Managing incoming webhooks, and calling them.

use guildhall_auth::CallerExt;
use guildhall_data::id;
use guildhall_proto::webhooks::v1::{
    CreateIncomingWebhookRequest, CreateIncomingWebhookResponse, DeleteIncomingWebhookRequest,
    DeleteIncomingWebhookResponse, GetIncomingWebhookRequest, GetIncomingWebhookResponse,
    ListIncomingWebhooksRequest, ListIncomingWebhooksResponse, ReceiveCallRequest,
    ReceiveCallResponse, UpdateIncomingWebhookRequest, UpdateIncomingWebhookResponse,
    incoming_webhook_service_server::IncomingWebhookService,
};
use tonic::{Request, Response, Status};

use crate::Webhooks;

#[tonic::async_trait]
impl IncomingWebhookService for Webhooks {
    async fn list_incoming_webhooks(
        &self,
        request: Request<ListIncomingWebhooksRequest>,
    ) -> Result<Response<ListIncomingWebhooksResponse>, Status> {
        let community = request.caller()?.community;
        let listed = self.list_incoming(community, request.into_inner()).await?;
        Ok(Response::new(listed))
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
        let id = id::parse("id", &request.into_inner().id)?;
        let webhook = Some(self.get_incoming(community, id).await?);
        Ok(Response::new(GetIncomingWebhookResponse { webhook }))
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
        let id = id::parse("id", &request.into_inner().id)?;
        self.delete_incoming(community, id).await?;
        Ok(Response::new(DeleteIncomingWebhookResponse {}))
    }

    async fn receive_call(
        &self,
        request: Request<ReceiveCallRequest>,
    ) -> Result<Response<ReceiveCallResponse>, Status> {
        Ok(self.receive(request.into_inner()).await?)
    }
}
