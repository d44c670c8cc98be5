use guildhall_proto::identity::v1::{
    GetCommunityRequest, GetCommunityResponse, ResolveUsersRequest, ResolveUsersResponse,
    user_directory_service_server::UserDirectoryService,
};
use guildhall_runtime::{Error, Reason};
use tonic::{Request, Response, Status};

use crate::Identity;

const MAX_REFERENCES: usize = 500;

pub(super) struct Service(pub(super) Identity);

#[tonic::async_trait]
impl UserDirectoryService for Service {
    async fn resolve_users(
        &self,
        request: Request<ResolveUsersRequest>,
    ) -> Result<Response<ResolveUsersResponse>, Status> {
        let request = request.into_inner();
        let community = request.community_id.parse()?;
        if request.references.len() > MAX_REFERENCES {
            let description = format!("references must be at most {MAX_REFERENCES}");
            return Err(Error::violation(Reason::ValueTooLong, "references", description).into());
        }
        let users = self.0.resolve_users(community, request.references).await?;
        Ok(Response::new(ResolveUsersResponse { users }))
    }

    async fn get_community(
        &self,
        request: Request<GetCommunityRequest>,
    ) -> Result<Response<GetCommunityResponse>, Status> {
        let community = self.0.community(&request.into_inner().community).await?;
        Ok(Response::new(community))
    }
}
