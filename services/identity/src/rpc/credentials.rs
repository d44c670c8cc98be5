use guildhall_data::id;
use guildhall_proto::identity::v1::{
    ResolveKeyRequest, ResolveKeyResponse, ResolveSessionRequest, ResolveSessionResponse,
    credential_service_server::CredentialService,
};
use guildhall_runtime::Error;
use tonic::{Request, Response, Status};

use crate::{
    Identity,
    store::{api_keys, users},
};

#[tonic::async_trait]
impl CredentialService for Identity {
    async fn resolve_key(
        &self,
        request: Request<ResolveKeyRequest>,
    ) -> Result<Response<ResolveKeyResponse>, Status> {
        let digest = request.into_inner().digest.try_into();
        let digest = digest.map_err(|_| Error::invalid("digest", "digest must be 32 bytes"))?;
        let key = self.find_key(digest).await?;
        Ok(Response::new(key.ok_or_else(api_keys::not_found)?))
    }

    async fn resolve_session(
        &self,
        request: Request<ResolveSessionRequest>,
    ) -> Result<Response<ResolveSessionResponse>, Status> {
        let request = request.into_inner();
        let community = id::parse("community_id", &request.community_id)?;
        let user = id::parse("user_id", &request.user_id)?;
        let session = self.find_session(community, user).await?;
        Ok(Response::new(session.ok_or_else(users::not_found)?))
    }
}
