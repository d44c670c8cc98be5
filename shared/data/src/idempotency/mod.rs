//! The same Idempotency-Key answers the same.
//!
//! (community, credential, RPC, key) names a row with a hash of the request and the encoded
//! answer. The row is written in the transaction of the write itself, so neither exists without
//! the other. Only successes are kept, for 24 hours.
//!
//! A call may have a second key, such as the `dedup_id` of a message. Each keeps the call from
//! being repeated, and both rows are written together ([`Ticket::and`], [`Idempotency::claim_also`]).

pub mod entity;
pub mod migration;
mod rows;

use std::{collections::HashSet, sync::Arc, time::Duration};

use aws_lc_rs::{
    digest::{SHA256, digest},
    hmac,
};
use guildhall_runtime::{Error, Reason, Result, Timestamp};
use parking_lot::Mutex;
use prost::Message;
use sea_orm::{ActiveValue::Set, ConnectionTrait, entity::prelude::*};
use zeroize::Zeroizing;

pub use self::rows::{record_in_file, record_unnested};
use crate::{
    CommunityId, Database, IdempotencyKey, Tenant, failed,
    seal::{Place, Sealer},
};

/// How long an answer is kept for an Idempotency-Key.
pub const KEPT: Duration = Duration::from_secs(24 * 3600);

/// How the answer of a key is treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Kept as it is.
    Plain,
    /// Kept sealed under the credential and the key, because it holds a secret.
    Secret,
}

/// A request that is answered with a secret may hold one itself: a plain hash of a login
/// would let a thief of the database guess passwords at the speed of SHA-256.
fn hash_of(request: &[u8], key: &IdempotencyKey, answer: Answer) -> Vec<u8> {
    match answer {
        Answer::Plain => digest(&SHA256, request).as_ref().to_vec(),
        Answer::Secret => {
            let root = hmac::Key::new(hmac::HMAC_SHA256, &key.seal_secret);
            let derived = hmac::sign(&root, b"guildhall request hash");
            let key = hmac::Key::new(hmac::HMAC_SHA256, derived.as_ref());
            hmac::sign(&key, request).as_ref().to_vec()
        }
    }
}

type Scope = (CommunityId, String, Arc<str>, String);

/// Where the sealed answer of a key lies.
fn place_of((community, credential, rpc, key): &Scope) -> Place {
    let row = [credential.clone(), rpc.to_string(), key.clone()];
    Place::of_community(*community, "idempotency_keys.answer", row)
}

/// The keys of one service.
#[derive(Debug, Clone)]
pub struct Idempotency {
    database: Database,
    running: Arc<Mutex<HashSet<Scope>>>,
}

/// What a key gives a caller.
#[derive(Debug)]
pub enum Claim<T> {
    /// They are the first: do it, and let the ticket record the answer.
    First(Ticket),
    /// It was done: this was the answer.
    Replay(T),
}

impl Idempotency {
    /// The keys kept in `database`.
    #[must_use]
    pub fn new(database: Database) -> Self {
        Self {
            database,
            running: Arc::default(),
        }
    }

    /// Claims a key for a request; without a key, everybody is first.
    ///
    /// # Errors
    /// IDEMPOTENCY_MISMATCH when it was used with another request, IDEMPOTENCY_IN_FLIGHT while
    /// the first is running.
    pub async fn claim<Q: Message, A: Message + Default>(
        &self,
        key: Option<IdempotencyKey>,
        rpc: impl Into<Arc<str>>,
        request: &Q,
        answer: Answer,
    ) -> Result<Claim<A>> {
        let Some(key) = key else {
            return Ok(Claim::First(Ticket::none()));
        };
        let hash = hash_of(&Zeroizing::new(request.encode_to_vec()), &key, answer);
        self.claim_hashed(key, rpc.into(), hash, answer, KEPT).await
    }

    /// Claims another key of the call that holds `ticket`, under which `request` is the same for as
    /// long as `kept`. `scope` stands where the path of an RPC does, and may be that of several.
    ///
    /// What the other key was answered is recorded for the keys of `ticket`, too, so that their
    /// repeats are answered the same.
    ///
    /// # Errors
    /// IDEMPOTENCY_MISMATCH when it was used with another request, IDEMPOTENCY_IN_FLIGHT while
    /// the first is running.
    pub async fn claim_also<Q: Message, A: Message + Default>(
        &self,
        ticket: Ticket,
        key: IdempotencyKey,
        scope: impl Into<Arc<str>>,
        request: &Q,
        kept: Duration,
    ) -> Result<Claim<A>> {
        let answer = Answer::Plain;
        let hash = hash_of(&Zeroizing::new(request.encode_to_vec()), &key, answer);
        let claim = self.claim_hashed(key, scope.into(), hash, answer, kept);
        match claim.await? {
            Claim::First(other) => Ok(Claim::First(ticket.and(other))),
            Claim::Replay(first) => {
                self.record_alone(&ticket, &first).await?;
                Ok(Claim::Replay(first))
            }
        }
    }

    /// Records an answer that was stored before, in a transaction of its own.
    async fn record_alone<A: Message>(&self, ticket: &Ticket, answer: &A) -> Result<()> {
        if ticket.0.is_empty() {
            return Ok(());
        }
        let transaction = self.database.begin().await?;
        ticket.record(&transaction, answer).await?;
        Database::commit(transaction).await
    }

    async fn claim_hashed<A: Message + Default>(
        &self,
        key: IdempotencyKey,
        rpc: Arc<str>,
        request_hash: Vec<u8>,
        answer: Answer,
        kept: Duration,
    ) -> Result<Claim<A>> {
        let scope: Scope = (
            key.community,
            key.credential.clone(),
            Arc::clone(&rpc),
            key.key.clone(),
        );
        let place = place_of(&scope);
        let running = Running::enter(Arc::clone(&self.running), scope);
        let running = running.ok_or_else(|| in_flight(key.name))?;
        let sealer = match answer {
            Answer::Plain => None,
            Answer::Secret => Some(Sealer::derive(&key.seal_secret, key.key.as_bytes())?),
        };
        let stored = entity::Entity::within(key.community)
            .filter(entity::Column::Credential.eq(&key.credential))
            .filter(entity::Column::Rpc.eq(&*rpc))
            .filter(entity::Column::Key.eq(&key.key))
            .filter(entity::Column::ExpiresAt.gt(Timestamp::now().as_millis()))
            .one(self.database.reader())
            .await
            .map_err(failed)?;
        match stored {
            None => Ok(Claim::First(Ticket(vec![Record {
                running,
                request_hash,
                sealer,
                kept,
            }]))),
            Some(stored) if stored.request_hash != request_hash => Err(Error::violation(
                Reason::IdempotencyMismatch,
                key.name,
                format!("{} was used with another request", key.name),
            )),
            Some(stored) => {
                let bytes = match &sealer {
                    None => Zeroizing::new(stored.answer),
                    Some(sealer) => sealer.open(&stored.answer, &place)?,
                };
                A::decode(bytes.as_slice())
                    .map(Claim::Replay)
                    .map_err(Error::internal)
            }
        }
    }
}

/// The right to record the first answer of the keys of a call. While it lives, they are in flight.
#[derive(Debug)]
pub struct Ticket(Vec<Record>);

#[derive(Debug)]
struct Record {
    running: Running,
    request_hash: Vec<u8>,
    sealer: Option<Sealer>,
    kept: Duration,
}

impl Ticket {
    /// A ticket of no key: it records nothing.
    #[must_use]
    pub fn none() -> Self {
        Self(Vec::new())
    }

    /// The ticket of all keys of this one and of `other`.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// The rows to insert with the write, one for each key.
    ///
    /// # Errors
    /// Never in practice: only when sealing fails.
    pub fn rows<A: Message>(&self, answer: &A) -> Result<Vec<entity::ActiveModel>> {
        let records = self.0.iter();
        records.map(|record| record.row(answer)).collect()
    }

    /// Records the answer in the write's own transaction.
    ///
    /// # Errors
    /// IDEMPOTENCY_IN_FLIGHT when another process recorded a key meanwhile: roll back.
    pub async fn record<A: Message>(
        &self,
        transaction: &impl ConnectionTrait,
        answer: &A,
    ) -> Result<()> {
        for row in self.rows(answer)? {
            rows::record_one(transaction, row).await?;
        }
        Ok(())
    }
}

impl Record {
    fn row<A: Message>(&self, answer: &A) -> Result<entity::ActiveModel> {
        let bytes = Zeroizing::new(answer.encode_to_vec());
        let answer = match &self.sealer {
            None => bytes.to_vec(),
            Some(sealer) => sealer.seal(&bytes, &place_of(&self.running.scope))?,
        };
        let (community, credential, rpc, key) = &self.running.scope;
        Ok(entity::ActiveModel {
            community_id: Set(*community),
            credential: Set(credential.clone()),
            rpc: Set(rpc.to_string()),
            key: Set(key.clone()),
            request_hash: Set(self.request_hash.clone()),
            answer: Set(answer),
            expires_at: Set(Timestamp::now().plus(self.kept).as_millis()),
        })
    }
}

/// Another request with the key is running in this process.
fn in_flight(name: &'static str) -> Error {
    let description = format!("{name} is that of a request which is still running, try again");
    Error::violation(Reason::IdempotencyInFlight, name, description)
        .retry_after(Duration::from_secs(1))
}

/// Another process has just recorded a key of the same request.
#[must_use]
pub fn recorded_meanwhile() -> Error {
    Error::new(
        Reason::IdempotencyInFlight,
        "The same request is still running elsewhere, try again",
    )
    .retry_after(Duration::from_secs(1))
}

/// A key in flight, until dropped.
#[derive(Debug)]
struct Running {
    all: Arc<Mutex<HashSet<Scope>>>,
    scope: Scope,
}

impl Running {
    /// None when it is in flight already.
    fn enter(all: Arc<Mutex<HashSet<Scope>>>, scope: Scope) -> Option<Self> {
        let is_new = all.lock().insert(scope.clone());
        is_new.then(|| Self { all, scope })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.all.lock().remove(&self.scope);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(secret: &[u8]) -> IdempotencyKey {
        IdempotencyKey {
            name: "Idempotency-Key",
            community: CommunityId::generate(),
            credential: "credential".into(),
            key: "key".into(),
            seal_secret: Zeroizing::new(secret.to_vec()),
        }
    }

    #[test]
    fn a_request_with_a_secret_can_not_be_guessed_from_its_hash() {
        let request = b"ada@example.com:password";
        let (plain, keyed) = (
            hash_of(request, &key(b"a"), Answer::Plain),
            hash_of(request, &key(b"a"), Answer::Secret),
        );
        assert_eq!(plain, hash_of(request, &key(b"b"), Answer::Plain));
        assert_eq!(keyed, hash_of(request, &key(b"a"), Answer::Secret));
        assert_ne!(keyed, plain);
        assert_ne!(keyed, hash_of(request, &key(b"b"), Answer::Secret));
    }
}
