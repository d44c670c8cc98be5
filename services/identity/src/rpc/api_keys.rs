use guildhall_auth::{CallerExt, caller::answer};
use guildhall_data::{Claim, idempotency::Answer};
use guildhall_proto::identity::v1::{
    CreateCommunityApiKeyRequest, CreateCommunityApiKeyResponse, CreateUserApiKeyRequest,
    CreateUserApiKeyResponse, DeleteApiKeyRequest, DeleteApiKeyResponse, GetCurrentApiKeyRequest,
    GetCurrentApiKeyResponse, api_key_service_server::ApiKeyService,
};
use guildhall_runtime::Timestamp;
use tonic::{Request, Response, Status};

use crate::{
    Identity,
    domain::{KeyKind, key_spec::KeySpec},
};

const CREATE_COMMUNITY_KEY: &str = "/guildhall.identity.v1.ApiKeyService/CreateCommunityApiKey";
const CREATE_USER_KEY: &str = "/guildhall.identity.v1.ApiKeyService/CreateUserApiKey";

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
        let (caller, key) = (request.caller()?, request.idempotency_key()?);
        let request = request.into_inner();
        let (idempotency, rpc) = (&self.0.idempotency, CREATE_COMMUNITY_KEY);
        let ticket = match idempotency
            .claim(key, rpc, &request, Answer::Secret)
            .await?
        {
            Claim::Replay(first) => return Ok(answer(first, true)),
            Claim::First(ticket) => ticket,
        };
        let spec = KeySpec::for_community(request.spec, Timestamp::now())?;
        let new = (KeyKind::Community, spec);
        let created = self.create_key(&caller, new, &ticket, |api_key, key| {
            CreateCommunityApiKeyResponse {
                api_key: Some(api_key),
                key: key.to_string(),
            }
        });
        Ok(answer(created.await?, false))
    }

    async fn create_user_api_key(
        &self,
        request: Request<CreateUserApiKeyRequest>,
    ) -> Result<Response<CreateUserApiKeyResponse>, Status> {
        let (caller, key) = (request.caller()?, request.idempotency_key()?);
        let request = request.into_inner();
        let (idempotency, rpc) = (&self.0.idempotency, CREATE_USER_KEY);
        let ticket = match idempotency
            .claim(key, rpc, &request, Answer::Secret)
            .await?
        {
            Claim::Replay(first) => return Ok(answer(first, true)),
            Claim::First(ticket) => ticket,
        };
        let spec = KeySpec::for_user(request.spec, Timestamp::now())?;
        let new = (KeyKind::User, spec);
        let created = self.create_key(&caller, new, &ticket, |api_key, key| {
            CreateUserApiKeyResponse {
                api_key: Some(api_key),
                key: key.to_string(),
            }
        });
        Ok(answer(created.await?, false))
    }

    async fn delete_api_key(
        &self,
        request: Request<DeleteApiKeyRequest>,
    ) -> Result<Response<DeleteApiKeyResponse>, Status> {
        let caller = request.caller()?;
        let id = request.into_inner().id.parse()?;
        let api_key = Some(self.delete_key(&caller, id).await?);
        Ok(Response::new(DeleteApiKeyResponse { api_key }))
    }
}
