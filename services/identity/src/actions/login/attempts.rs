//! Counts attempts to log in: by what was typed, by account, and by address.
//!
//! The same is done for an account that does not exist: neither an answer nor its time tells.

use aws_lc_rs::hmac;
use guildhall_data::{CommunityId, Database};
use guildhall_runtime::Result;
use sea_orm::ConnectionTrait;

use super::Attempt;
use crate::{
    Identity,
    domain::{
        account::Account,
        login_limit::{ACCOUNT, ADDRESS, FAMILIAR, Limit, NAME, NAME_FROM_ADDRESS},
    },
    store::{login_attempts, users},
};

/// What an attempt is counted by.
pub(super) struct Counters {
    community: CommunityId,
    subjects: Subjects,
    /// In the order in which their rows are locked.
    limits: Vec<(hmac::Tag, Limit)>,
}

/// What an attempt may be counted by, each as a keyed hash.
struct Subjects {
    address: hmac::Tag,
    name_from_address: hmac::Tag,
    name: hmac::Tag,
    account: hmac::Tag,
    /// That the account has logged in from the address.
    familiar: hmac::Tag,
}

impl Identity {
    /// What an attempt is counted by. When a limit is used up, nothing may be compared any more.
    ///
    /// # Errors
    /// LOGIN_ATTEMPTS with the time left in the window.
    pub(super) async fn counters(
        &self,
        attempt: &Attempt,
        user: Option<&users::Model>,
    ) -> Result<Counters> {
        let (community, subjects) = (attempt.community, self.subjects(attempt, user));
        let rows = login_attempts::list(self.0.database.reader(), community, subjects.all());
        let rows = rows.await?;
        let row_of = |subject: &hmac::Tag| rows.iter().find(|row| row.subject == subject.as_ref());
        let mut limits = vec![
            (subjects.address, ADDRESS),
            (subjects.name_from_address, NAME_FROM_ADDRESS),
        ];
        if row_of(&subjects.familiar).is_none() {
            limits.extend([(subjects.name, NAME), (subjects.account, ACCOUNT)]);
        }
        for (subject, limit) in limits.iter().filter(|(_, limit)| *limit != ACCOUNT) {
            row_of(subject).map_or(Ok(()), |row| row.allows_another(*limit))?;
        }
        Ok(Counters {
            community,
            subjects,
            limits,
        })
    }

    /// Counts an attempt before anybody learns how it ended, so that concurrent attempts all count. A
    /// refused one is not counted. Returns whether there were too many against the account: then no
    /// password is right.
    ///
    /// # Errors
    /// LOGIN_ATTEMPTS with the time left in the window.
    pub(super) async fn count(&self, counters: &Counters) -> Result<bool> {
        let mut too_many_for_account = false;
        let transaction = self.0.database.begin().await?;
        for (subject, limit) in &counters.limits {
            let (subject, window) = (subject.as_ref(), limit.window);
            let row = login_attempts::count(&transaction, counters.community, subject, window);
            match row.await?.is_within(*limit) {
                Err(_) if *limit == ACCOUNT => too_many_for_account = true,
                checked => checked?,
            }
        }
        Database::commit(transaction).await?;
        Ok(too_many_for_account)
    }

    fn subjects(&self, attempt: &Attempt, user: Option<&users::Model>) -> Subjects {
        let (kind, typed) = match &attempt.account {
            Account::Email(key) => ("email", key.folded()),
            Account::Username(key) => ("username", key.folded()),
        };
        let account = user.map_or_else(|| format!("{kind} {typed}"), |user| user.id.to_string());
        let client = attempt.client.map(|client| client.to_string());
        let client = client.as_deref().unwrap_or("-");
        let subject = |parts: &[&str]| self.subject(attempt.community, parts);
        Subjects {
            address: subject(&["address", client]),
            name_from_address: subject(&["name from address", kind, typed, client]),
            name: subject(&["name", kind, typed]),
            account: subject(&["account", &account]),
            familiar: subject(&["familiar", &account, client]),
        }
    }

    /// Takes back an attempt whose password was right.
    pub(super) async fn take_back(&self, counters: &Counters) -> Result<()> {
        let transaction = self.0.database.begin().await?;
        counters.take_back(&transaction).await?;
        Database::commit(transaction).await
    }

    /// The keyed hash that stands for something counted: a password typed in the wrong field must not
    /// be stored.
    fn subject(&self, community: CommunityId, parts: &[&str]) -> hmac::Tag {
        let mut context = hmac::Context::with_key(&self.0.attempts_key);
        let community = community.to_string();
        for part in [community.as_str()].iter().chain(parts) {
            context.update(part.as_bytes());
            context.update(b"\0");
        }
        context.sign()
    }
}

impl Subjects {
    fn all(&self) -> impl Iterator<Item = &[u8]> {
        let all = [
            &self.address,
            &self.name_from_address,
            &self.name,
            &self.account,
            &self.familiar,
        ];
        all.into_iter().map(AsRef::as_ref)
    }
}

impl Counters {
    async fn take_back(&self, transaction: &impl ConnectionTrait) -> Result<()> {
        for (subject, _) in &self.limits {
            login_attempts::take_back(transaction, self.community, subject.as_ref()).await?;
        }
        Ok(())
    }

    /// The right password was given: the attempts with the name from the address are forgotten, and
    /// the address is familiar from now on.
    pub(super) async fn succeed(&self, transaction: &impl ConnectionTrait) -> Result<()> {
        self.take_back(transaction).await?;
        let reset = self.subjects.name_from_address.as_ref();
        login_attempts::remove(transaction, self.community, reset).await?;
        let familiar = self.subjects.familiar.as_ref();
        login_attempts::note(transaction, self.community, familiar, FAMILIAR).await
    }
}
