//! Workflows, and what they tell of.

use guildhall_auth::CallerExt;
use guildhall_data::id;
use guildhall_proto::webhooks::v1::{
    BeginSessionRequest, BeginSessionResponse, CreateWorkflowRequest, CreateWorkflowResponse,
    DeleteWorkflowRequest, DeleteWorkflowResponse, ReceiveEventRequest, ReceiveEventResponse,
    workflow_service_server::WorkflowService,
};
use tonic::{Request, Response, Status};

use crate::Webhooks;

#[tonic::async_trait]
impl WorkflowService for Webhooks {
    async fn create_workflow(
        &self,
        request: Request<CreateWorkflowRequest>,
    ) -> Result<Response<CreateWorkflowResponse>, Status> {
        Ok(self.add_workflow(request).await?)
    }

    async fn delete_workflow(
        &self,
        request: Request<DeleteWorkflowRequest>,
    ) -> Result<Response<DeleteWorkflowResponse>, Status> {
        let community = request.caller()?.community;
        let id = id::parse("id", &request.into_inner().id)?;
        self.remove_workflow(community, id).await?;
        Ok(Response::new(DeleteWorkflowResponse {}))
    }

    async fn begin_session(
        &self,
        request: Request<BeginSessionRequest>,
    ) -> Result<Response<BeginSessionResponse>, Status> {
        let session = self.open_session(request.into_inner()).await?;
        Ok(Response::new(session))
    }

    async fn receive_event(
        &self,
        request: Request<ReceiveEventRequest>,
    ) -> Result<Response<ReceiveEventResponse>, Status> {
        Ok(self.take_event(request).await?)
    }
}
