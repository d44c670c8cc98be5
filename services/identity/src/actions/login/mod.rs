//! Checks a password and issues a JWT (contract: identity, auth-login).
//!
//! An unknown account and a wrong password get the same response after the same work, and both are
//! counted: logging in does not reveal which accounts exist.

mod attempts;

use guildhall_auth::{CallerExt, ClientAddress, request::answer};
use guildhall_data::{Claim, CommunityId, Database, Ticket, idempotency::Answer};
use guildhall_proto::identity::v1::{LoginRequest, LoginResponse};
use guildhall_runtime::{Error, Reason, Result};
use guildhall_writes::Keyed;
use sea_orm::ConnectionTrait;
use tonic::{Request, Response};
use zeroize::Zeroizing;

use self::attempts::Counters;
use crate::{
    Identity,
    domain::{account::Account, password},
    present,
    store::users,
};

/// An attempt to log in.
struct Attempt {
    community: CommunityId,
    account: Account,
    password: Zeroizing<String>,
    /// Where it comes from, if that is known.
    client: Option<ClientAddress>,
}

impl Attempt {
    fn parse(request: &Request<LoginRequest>) -> Result<Self> {
        let message = request.get_ref();
        Ok(Self {
            community: request.caller()?.community,
            account: Account::parse(message.account.clone())?,
            password: password::presented(&message.password)?,
            client: request.extensions().get().copied(),
        })
    }
}

impl Identity {
    /// Logs a user in. The attempt is counted before its outcome is told, also when that is the outcome
    /// of the one that was made under its Idempotency-Key.
    ///
    /// # Errors
    /// Those of the fields, LOGIN_ATTEMPTS, LOGIN_REFUSED, and with the right password
    /// ACCOUNT_UNAVAILABLE.
    pub(crate) async fn login(
        &self,
        request: Request<LoginRequest>,
    ) -> Result<Response<LoginResponse>> {
        let (attempt, keyed) = (Attempt::parse(&request)?, Keyed::of(&request)?);
        let request = request.into_inner();
        let reader = self.0.database.reader();
        let user = users::find_account(reader, attempt.community, &attempt.account).await?;
        let counters = self.counters(&attempt, user.as_ref()).await?;
        let claim = self.0.writes.claim(keyed, &request, Answer::Secret);
        let claim = match claim.await {
            // It was compared with nothing.
            Err(error) if error.reason() == Reason::IdempotencyInFlight => return Err(error),
            compared => compared,
        };
        let too_many_for_account = self.count(&counters).await?;
        match claim? {
            Claim::Replay(_) if too_many_for_account => Err(refused()),
            Claim::Replay(first) => {
                // It resets nothing: the password may have been changed since.
                self.take_back(&counters).await?;
                Ok(answer(first, true))
            }
            Claim::First(ticket) => {
                let user = user.filter(|_| !too_many_for_account);
                let first = self.check(attempt, user, &counters, &ticket).await?;
                Ok(answer(first, false))
            }
        }
    }

    /// Checks the password and records the response. The attempts are reset even when the account
    /// may not log in.
    async fn check(
        &self,
        attempt: Attempt,
        user: Option<users::Model>,
        counters: &Counters,
        ticket: &Ticket,
    ) -> Result<LoginResponse> {
        let hash = user.as_ref().and_then(|user| user.password_hash.clone());
        let is_right = self.0.passwords.is_right(attempt.password, hash).await?;
        let user = user.filter(|_| is_right).ok_or_else(refused)?;

        let transaction = self.0.database.begin().await?;
        counters.succeed(&transaction).await?;
        let response = self.start_session(&transaction, user).await;
        if let Ok(response) = &response {
            ticket.record(&transaction, response).await?;
        }
        Database::commit(transaction).await?;
        response
    }

    async fn start_session(
        &self,
        connection: &impl ConnectionTrait,
        user: users::Model,
    ) -> Result<LoginResponse> {
        if !user.is_active() || !user.is_email_verified {
            return Err(Error::new(
                Reason::AccountUnavailable,
                "This account cannot log in",
            ));
        }
        let token = self.issue_token(connection, &user).await?;
        Ok(LoginResponse {
            token: token.text,
            expire_time: Some(token.expires_at.into()),
            user: Some(present::user(user)),
        })
    }
}

fn refused() -> Error {
    Error::new(Reason::LoginRefused, "Wrong email or password")
}
