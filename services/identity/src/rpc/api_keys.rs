use guildhall_auth::{Caller, CallerExt, Role, caller::answer};
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
    domain::key_spec::KeySpec,
    keys::Wanted,
    store::api_keys::{self, Kind},
};

const CREATE_COMMUNITY_KEY: &str = "/guildhall.identity.v1.ApiKeyService/CreateCommunityApiKey";
const CREATE_USER_KEY: &str = "/guildhall.identity.v1.ApiKeyService/CreateUserApiKey";

pub(super) struct Service(pub(super) Identity);

fn wanted(caller: &Caller, kind: Kind, spec: KeySpec) -> Wanted {
    Wanted {
        community: caller.community,
        kind,
        user: caller.user(),
        spec,
    }
}

#[tonic::async_trait]
impl ApiKeyService for Service {
    async fn get_current_api_key(
        &self,
        request: Request<GetCurrentApiKeyRequest>,
    ) -> Result<Response<GetCurrentApiKeyResponse>, Status> {
        let caller = request.caller()?;
        let id = caller.key().ok_or_else(api_keys::not_found)?;
        let key = self.0.key(caller.community, id).await?;
        Ok(Response::new(GetCurrentApiKeyResponse {
            api_key: Some(key),
        }))
    }

    async fn create_community_api_key(
        &self,
        request: Request<CreateCommunityApiKeyRequest>,
    ) -> Result<Response<CreateCommunityApiKeyResponse>, Status> {
        let (caller, key) = (request.caller()?, request.idempotency_key()?);
        let message = request.into_inner();
        let idempotency = &self.0.0.idempotency;
        let claim = idempotency
            .claim(key, CREATE_COMMUNITY_KEY, &message, Answer::Secret)
            .await?;
        let ticket = match claim {
            Claim::Replay(first) => return Ok(answer(first, true)),
            Claim::First(ticket) => ticket,
        };
        let spec = KeySpec::for_community(message.spec, Timestamp::now())?;
        let shown = |api_key, key: Text| CreateCommunityApiKeyResponse {
            api_key: Some(api_key),
            key: key.to_string(),
        };
        let wanted = wanted(&caller, Kind::Community, spec);
        Ok(answer(
            self.0.create_key(wanted, &ticket, shown).await?,
            false,
        ))
    }

    async fn create_user_api_key(
        &self,
        request: Request<CreateUserApiKeyRequest>,
    ) -> Result<Response<CreateUserApiKeyResponse>, Status> {
        let (caller, key) = (request.caller()?, request.idempotency_key()?);
        let message = request.into_inner();
        let idempotency = &self.0.0.idempotency;
        let claim = idempotency
            .claim(key, CREATE_USER_KEY, &message, Answer::Secret)
            .await?;
        let ticket = match claim {
            Claim::Replay(first) => return Ok(answer(first, true)),
            Claim::First(ticket) => ticket,
        };
        let spec = KeySpec::for_user(message.spec, Timestamp::now())?;
        let shown = |api_key, key: Text| CreateUserApiKeyResponse {
            api_key: Some(api_key),
            key: key.to_string(),
        };
        let wanted = wanted(&caller, Kind::User, spec);
        Ok(answer(
            self.0.create_key(wanted, &ticket, shown).await?,
            false,
        ))
    }

    async fn delete_api_key(
        &self,
        request: Request<DeleteApiKeyRequest>,
    ) -> Result<Response<DeleteApiKeyResponse>, Status> {
        let caller = request.caller()?;
        let id = request.into_inner().id.parse()?;
        let role = caller.role().unwrap_or(Role::Unspecified);
        let key = self
            .0
            .delete_key(caller.community, id, caller.user(), role)
            .await?;
        Ok(Response::new(DeleteApiKeyResponse { api_key: Some(key) }))
    }
}

type Text = zeroize::Zeroizing<String>;
