use guildhall_auth::CallerExt;
use guildhall_data::id;
use guildhall_proto::identity::v1::{
    CreateCommunityApiKeyRequest, CreateCommunityApiKeyResponse, CreateUserApiKeyRequest,
    CreateUserApiKeyResponse, DeleteApiKeyRequest, DeleteApiKeyResponse, GetCurrentApiKeyRequest,
    GetCurrentApiKeyResponse, api_key_service_server::ApiKeyService,
};
use tonic::{Request, Response, Status};

use crate::Identity;

#[tonic::async_trait]
impl ApiKeyService for Identity {
    async fn get_current_api_key(
        &self,
        request: Request<GetCurrentApiKeyRequest>,
    ) -> Result<Response<GetCurrentApiKeyResponse>, Status> {
        let api_key = Some(self.current_key(&*request.caller()?).await?);
        Ok(Response::new(GetCurrentApiKeyResponse { api_key }))
    }

    async fn create_community_api_key(
        &self,
        request: Request<CreateCommunityApiKeyRequest>,
    ) -> Result<Response<CreateCommunityApiKeyResponse>, Status> {
        Ok(self.add_community_key(request).await?)
    }

    async fn create_user_api_key(
        &self,
        request: Request<CreateUserApiKeyRequest>,
    ) -> Result<Response<CreateUserApiKeyResponse>, Status> {
        Ok(self.add_user_key(request).await?)
    }

    async fn delete_api_key(
        &self,
        request: Request<DeleteApiKeyRequest>,
    ) -> Result<Response<DeleteApiKeyResponse>, Status> {
        let caller = request.caller()?;
        let id = id::parse("id", &request.into_inner().id)?;
        let api_key = Some(self.delete_key(&caller, id).await?);
        Ok(Response::new(DeleteApiKeyResponse { api_key }))
    }
}
