use guildhall_auth::{CallerExt, caller::answer, layer::ClientAddress};
use guildhall_data::{Claim, idempotency::Answer};
use guildhall_proto::identity::v1::{
    ListSigningKeysRequest, ListSigningKeysResponse, LoginRequest, LoginResponse,
    authentication_service_server::AuthenticationService,
};
use tonic::{Request, Response, Status};

use crate::{
    Identity,
    domain::{account::Account, password},
    login::Attempt,
};

const LOGIN: &str = "/guildhall.identity.v1.AuthenticationService/Login";

pub(super) struct Service(pub(super) Identity);

#[tonic::async_trait]
impl AuthenticationService for Service {
    async fn login(
        &self,
        request: Request<LoginRequest>,
    ) -> Result<Response<LoginResponse>, Status> {
        let community = request.caller()?.community;
        let key = request.idempotency_key()?;
        let client = request.extensions().get::<ClientAddress>();
        let client = client.map_or_else(|| "-".to_owned(), |address| address.0.clone());
        let message = request.into_inner();
        let attempt = Attempt {
            community,
            account: Account::parse(message.account.clone())?,
            password: password::presented(&message.password)?,
            client,
        };
        let idempotency = &self.0.0.idempotency;
        match idempotency
            .claim(key, LOGIN, &message, Answer::Secret)
            .await?
        {
            Claim::Replay(first) => Ok(answer(first, true)),
            Claim::First(ticket) => Ok(answer(self.0.login(attempt, &ticket).await?, false)),
        }
    }

    async fn list_signing_keys(
        &self,
        _request: Request<ListSigningKeysRequest>,
    ) -> Result<Response<ListSigningKeysResponse>, Status> {
        let keys = self.0.signing_keys().await?;
        Ok(Response::new(ListSigningKeysResponse { keys }))
    }
}
