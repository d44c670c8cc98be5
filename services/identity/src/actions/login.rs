//! Checks a password and issues a JWT (contract: identity, auth-login).
//!
//! An unknown account and a wrong password get the same response after the same work, and both are
//! counted: logging in does not reveal which accounts exist.

use aws_lc_rs::hmac;
use guildhall_auth::{CallerExt, layer::ClientAddress, request::answer};
use guildhall_data::{Claim, CommunityId, Database, Ticket, idempotency::Answer};
use guildhall_proto::identity::v1::{LoginRequest, LoginResponse};
use guildhall_runtime::{Error, Reason, Result};
use guildhall_writes::Keyed;
use sea_orm::ConnectionTrait;
use tonic::{Request, Response};
use zeroize::Zeroizing;

use crate::{
    Identity,
    domain::{account::Account, password},
    present,
    store::{login_attempts, users},
};

/// An attempt to log in.
struct Attempt {
    community: CommunityId,
    account: Account,
    password: Zeroizing<String>,
    /// The client's address; `-` when it is not known.
    client: String,
}

impl Identity {
    /// Logs a user in.
    ///
    /// # Errors
    /// Those of the fields, LOGIN_ATTEMPTS, LOGIN_REFUSED, and with the right password
    /// ACCOUNT_UNAVAILABLE.
    pub(crate) async fn login(
        &self,
        request: Request<LoginRequest>,
    ) -> Result<Response<LoginResponse>> {
        let (community, keyed) = (request.caller()?.community, Keyed::of(&request)?);
        let client = request.extensions().get::<ClientAddress>();
        let client = client.map_or_else(|| "-".to_owned(), |address| address.0.clone());
        let request = request.into_inner();
        let attempt = Attempt {
            community,
            account: Account::parse(request.account.clone())?,
            password: password::presented(&request.password)?,
            client,
        };
        let claim = self.0.writes.claim(keyed, &request, Answer::Secret);
        match claim.await? {
            Claim::Replay(first) => Ok(answer(first, true)),
            Claim::First(ticket) => Ok(answer(self.check(attempt, &ticket).await?, false)),
        }
    }

    /// Checks the password and records the response. The attempts are reset even when the account
    /// may not log in.
    async fn check(&self, attempt: Attempt, ticket: &Ticket) -> Result<LoginResponse> {
        let reader = self.0.database.reader();
        let user = users::find_account(reader, attempt.community, &attempt.account).await?;
        let subject = self.count_attempt(&attempt, user.as_ref()).await?;
        let Attempt {
            community,
            password,
            ..
        } = attempt;
        let hash = user.as_ref().and_then(|user| user.password_hash.clone());
        let is_right = self.0.passwords.is_right(password, hash).await?;
        let user = user.filter(|_| is_right).ok_or_else(refused)?;

        let transaction = self.0.database.begin().await?;
        login_attempts::remove(&transaction, community, subject.as_ref()).await?;
        let response = self.start_session(&transaction, user).await;
        if let Ok(response) = &response {
            ticket.record(&transaction, response).await?;
        }
        Database::commit(transaction).await?;
        response
    }

    /// Counts the attempt before the password is checked, so that concurrent attempts all count.
    async fn count_attempt(
        &self,
        attempt: &Attempt,
        user: Option<&users::Model>,
    ) -> Result<hmac::Tag> {
        let subject = self.subject(attempt, user);
        let transaction = self.0.database.begin().await?;
        let counted =
            login_attempts::count(&transaction, attempt.community, subject.as_ref()).await;
        Database::commit(transaction).await?;
        counted.map(|()| subject)
    }

    /// What attempts are counted by: the user, or for an unknown account the text that named it.
    fn subject(&self, attempt: &Attempt, user: Option<&users::Model>) -> hmac::Tag {
        let account = user.map_or_else(
            || attempt.account.key().folded().to_owned(),
            |user| user.id.to_string(),
        );
        let mut context = hmac::Context::with_key(&self.0.attempts_key);
        for part in [
            &attempt.community.to_string(),
            account.as_str(),
            &attempt.client,
        ] {
            context.update(part.as_bytes());
            context.update(b"\0");
        }
        context.sign()
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
