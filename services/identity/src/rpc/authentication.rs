use guildhall_proto::identity::v1::{
    ListSigningKeysRequest, ListSigningKeysResponse, LoginRequest, LoginResponse,
    authentication_service_server::AuthenticationService,
};
use tonic::{Request, Response, Status};

use crate::Identity;

#[tonic::async_trait]
impl AuthenticationService for Identity {
    async fn login(
        &self,
        request: Request<LoginRequest>,
    ) -> Result<Response<LoginResponse>, Status> {
        Ok(self.log_in(request).await?)
    }

    async fn list_signing_keys(
        &self,
        _request: Request<ListSigningKeysRequest>,
    ) -> Result<Response<ListSigningKeysResponse>, Status> {
        let keys = self.valid_signing_keys().await?;
        Ok(Response::new(ListSigningKeysResponse { keys }))
    }
}
