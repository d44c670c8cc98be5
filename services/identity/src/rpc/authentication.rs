use guildhall_auth::{CallerExt, caller::answer, layer::ClientAddress};
use guildhall_data::{Claim, idempotency::Answer};
use guildhall_proto::identity::v1::{
    ListSigningKeysRequest, ListSigningKeysResponse, LoginRequest, LoginResponse,
    authentication_service_server::AuthenticationService,
};
use tonic::{Request, Response, Status};

use crate::{
    Identity,
    actions::login::Attempt,
    domain::{account::Account, password},
};

const LOGIN: &str = "/guildhall.identity.v1.AuthenticationService/Login";

#[tonic::async_trait]
impl AuthenticationService for Identity {
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
        let idempotency = &self.0.idempotency;
        match idempotency
            .claim(key, LOGIN, &message, Answer::Secret)
            .await?
        {
            Claim::Replay(first) => Ok(answer(first, true)),
            Claim::First(ticket) => Ok(answer(self.log_in(attempt, &ticket).await?, false)),
        }
    }

    async fn list_signing_keys(
        &self,
        _request: Request<ListSigningKeysRequest>,
    ) -> Result<Response<ListSigningKeysResponse>, Status> {
        let keys = self.valid_signing_keys().await?;
        Ok(Response::new(ListSigningKeysResponse { keys }))
    }
}
