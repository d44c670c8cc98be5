//! Checks a password and issues a JWT (contract: identity, auth-login).
//!
//! An unknown account and a wrong password get the same answer after the same work, and count the
//! same: nobody learns here which accounts there are.

use aws_lc_rs::hmac;
use guildhall_data::{CommunityId, Database, Ticket};
use guildhall_proto::identity::v1::LoginResponse;
use guildhall_runtime::{Error, Reason, Result};
use sea_orm::ConnectionTrait;
use zeroize::Zeroizing;

use crate::{
    Identity,
    domain::account::Account,
    store::{login_attempts, users},
};

/// Somebody who says who he is.
pub(crate) struct Attempt {
    pub(crate) community: CommunityId,
    pub(crate) account: Account,
    pub(crate) password: Zeroizing<String>,
    /// The client's address, as far as it is known.
    pub(crate) client: String,
}

impl Identity {
    /// Logs him in and records the answer.
    ///
    /// # Errors
    /// LOGIN_ATTEMPTS, LOGIN_REFUSED, and after a right password ACCOUNT_UNAVAILABLE.
    pub(crate) async fn login(&self, attempt: Attempt, ticket: &Ticket) -> Result<LoginResponse> {
        let reader = self.0.database.reader();
        let user = users::find_account(reader, attempt.community, &attempt.account).await?;
        let subject = self.count(&attempt, user.as_ref()).await?;
        let Attempt {
            community,
            password,
            ..
        } = attempt;
        let hash = user.as_ref().and_then(|user| user.password_hash.clone());
        let is_right = self.0.passwords.is_right(password, hash).await?;
        let user = user.filter(|_| is_right).ok_or_else(refused)?;

        let transaction = self.0.database.begin().await?;
        login_attempts::reset(&transaction, community, subject.as_ref()).await?;
        let answer = self.admit(&transaction, user).await;
        if let Ok(answer) = &answer {
            ticket.record(&transaction, answer).await?;
        }
        Database::commit(transaction).await?;
        answer
    }

    /// Counts before the password is looked at: attempts that run at once all count.
    async fn count(&self, attempt: &Attempt, user: Option<&users::Model>) -> Result<hmac::Tag> {
        let subject = self.subject(attempt, user);
        let transaction = self.0.database.begin().await?;
        let counted =
            login_attempts::count(&transaction, attempt.community, subject.as_ref()).await;
        Database::commit(transaction).await?;
        counted.map(|()| subject)
    }

    /// The user, however he was named; an account that nobody has as it was named.
    fn subject(&self, attempt: &Attempt, user: Option<&users::Model>) -> hmac::Tag {
        let account = user.map_or_else(
            || attempt.account.as_str().to_owned(),
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

    async fn admit(
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
            user: Some(user.into()),
        })
    }
}

fn refused() -> Error {
    Error::new(Reason::LoginRefused, "Wrong email or password")
}
