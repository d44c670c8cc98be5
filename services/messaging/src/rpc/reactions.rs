use guildhall_auth::CallerExt;
use guildhall_proto::messaging::v1::{
    AddReactionRequest, AddReactionResponse, ListReactionsRequest, ListReactionsResponse,
    RemoveReactionRequest, RemoveReactionResponse, reaction_service_server::ReactionService,
};
use tonic::{Request, Response, Status};

use crate::Messaging;

#[tonic::async_trait]
impl ReactionService for Messaging {
    async fn add_reaction(
        &self,
        request: Request<AddReactionRequest>,
    ) -> Result<Response<AddReactionResponse>, Status> {
        Ok(self.react(request).await?)
    }

    async fn remove_reaction(
        &self,
        request: Request<RemoveReactionRequest>,
    ) -> Result<Response<RemoveReactionResponse>, Status> {
        let caller = request.caller()?;
        let response = self.remove_reaction(&caller, request.into_inner()).await?;
        Ok(Response::new(response))
    }

    async fn list_reactions(
        &self,
        request: Request<ListReactionsRequest>,
    ) -> Result<Response<ListReactionsResponse>, Status> {
        let caller = request.caller()?;
        let response = self.list_reactions(&caller, request.into_inner()).await?;
        Ok(Response::new(response))
    }
}
