use guildhall_data::id;
use guildhall_proto::identity::v1::{
    GetCommunityRequest, GetCommunityResponse, ResolveUsersRequest, ResolveUsersResponse,
    user_directory_service_server::UserDirectoryService,
};
use tonic::{Request, Response, Status};

use crate::Identity;

#[tonic::async_trait]
impl UserDirectoryService for Identity {
    async fn resolve_users(
        &self,
        request: Request<ResolveUsersRequest>,
    ) -> Result<Response<ResolveUsersResponse>, Status> {
        let request = request.into_inner();
        let community = id::parse("community_id", &request.community_id)?;
        let users = self
            .resolve_references(community, request.references)
            .await?;
        Ok(Response::new(ResolveUsersResponse { users }))
    }

    async fn get_community(
        &self,
        request: Request<GetCommunityRequest>,
    ) -> Result<Response<GetCommunityResponse>, Status> {
        let community = self.community(&request.into_inner().community).await?;
        Ok(Response::new(community))
    }
}
