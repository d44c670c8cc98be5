//! The same Idempotency-Key answers the same.
//!
//! (community, credential, RPC, key) names a row with a hash of the request and the encoded
//! answer. The row is written in the transaction of the write itself, so neither exists without
//! the other. Only successes are kept, for 24 hours.

pub mod entity;
pub mod migration;

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

use crate::{
    CommunityId, Database, FileTransaction, IdempotencyKey, Tenant, failed, seal::Sealer, unnest,
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
            return Ok(Claim::First(Ticket(None)));
        };
        let hash = hash_of(&Zeroizing::new(request.encode_to_vec()), &key, answer);
        self.claim_hashed(key, rpc.into(), hash, answer, KEPT).await
    }

    /// Claims a key under which any request is the same (Sendbird's `dedup_id`).
    ///
    /// # Errors
    /// IDEMPOTENCY_IN_FLIGHT while the first is running.
    pub async fn claim_any<A: Message + Default>(
        &self,
        key: IdempotencyKey,
        rpc: impl Into<Arc<str>>,
        kept: Duration,
    ) -> Result<Claim<A>> {
        self.claim_hashed(key, rpc.into(), Vec::new(), Answer::Plain, kept)
            .await
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
        let running = Running::enter(Arc::clone(&self.running), scope)?;
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
            None => Ok(Claim::First(Ticket(Some(Record {
                running,
                request_hash,
                sealer,
                kept,
            })))),
            Some(stored) if stored.request_hash != request_hash => Err(Error::new(
                Reason::IdempotencyMismatch,
                "The Idempotency-Key was used with another request",
            )),
            Some(stored) => {
                let bytes = match &sealer {
                    None => Zeroizing::new(stored.answer),
                    Some(sealer) => sealer.open(&stored.answer)?,
                };
                A::decode(bytes.as_slice())
                    .map(Claim::Replay)
                    .map_err(Error::internal)
            }
        }
    }
}

/// The right to record the first answer of a key. While it lives, the key is in flight.
#[derive(Debug)]
pub struct Ticket(Option<Record>);

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
        Self(None)
    }

    /// The row to insert with the write, if there is a key.
    ///
    /// # Errors
    /// Never in practice: only when sealing fails.
    pub fn row<A: Message>(&self, answer: &A) -> Result<Option<entity::ActiveModel>> {
        let Some(record) = &self.0 else {
            return Ok(None);
        };
        let bytes = Zeroizing::new(answer.encode_to_vec());
        let answer = match &record.sealer {
            None => bytes.to_vec(),
            Some(sealer) => sealer.seal(&bytes)?,
        };
        let (community, credential, rpc, key) = &record.running.scope;
        Ok(Some(entity::ActiveModel {
            community_id: Set(*community),
            credential: Set(credential.clone()),
            rpc: Set(rpc.to_string()),
            key: Set(key.clone()),
            request_hash: Set(record.request_hash.clone()),
            answer: Set(answer),
            expires_at: Set(Timestamp::now().plus(record.kept).as_millis()),
        }))
    }

    /// Records the answer in the write's own transaction.
    ///
    /// # Errors
    /// IDEMPOTENCY_IN_FLIGHT when another process recorded the key meanwhile: roll back.
    pub async fn record<A: Message>(
        &self,
        transaction: &impl ConnectionTrait,
        answer: &A,
    ) -> Result<()> {
        match self.row(answer)? {
            Some(row) => record_one(transaction, row).await,
            None => Ok(()),
        }
    }
}

/// Inserts the row of a ticket; an expired row of the same key gives way.
async fn record_one(transaction: &impl ConnectionTrait, row: entity::ActiveModel) -> Result<()> {
    let (community, credential, rpc, key) = scope_of(&row)?;
    entity::Entity::removing(community)
        .filter(entity::Column::Credential.eq(credential))
        .filter(entity::Column::Rpc.eq(rpc))
        .filter(entity::Column::Key.eq(key))
        .filter(entity::Column::ExpiresAt.lte(Timestamp::now().as_millis()))
        .exec(transaction)
        .await
        .map_err(failed)?;
    entity::Entity::insert(row)
        .exec_without_returning(transaction)
        .await
        .map_err(|error| taken(failed(error)))?;
    Ok(())
}

/// Inserts the rows of several tickets in a group commit on a file; expired rows of the same keys
/// give way.
///
/// # Errors
/// IDEMPOTENCY_IN_FLIGHT when one of the keys was recorded meanwhile: roll back.
pub fn record_in_file(
    transaction: &FileTransaction<'_>,
    rows: &[entity::ActiveModel],
) -> Result<()> {
    const EXPIRED: &str = "DELETE FROM idempotency_keys WHERE community_id = ?1 AND credential = ?2 \
                           AND rpc = ?3 AND key = ?4 AND expires_at <= ?5";
    let now = Timestamp::now().as_millis();
    for row in rows {
        let (community, credential, rpc, key) = scope_of(row)?;
        let scope = (community.to_string(), credential, rpc, key, now);
        transaction.execute(EXPIRED, scope)?;
    }
    transaction.insert::<entity::Entity>(rows).map_err(taken)
}

fn scope_of(row: &entity::ActiveModel) -> Result<(CommunityId, &str, &str, &str)> {
    match (&row.community_id, &row.credential, &row.rpc, &row.key) {
        (Set(community), Set(credential), Set(rpc), Set(key)) => {
            Ok((*community, credential, rpc, key))
        }
        _ => Err(Error::bug("an idempotency row without its key")),
    }
}

fn taken(error: Error) -> Error {
    if error.reason() == Reason::AlreadyExists {
        in_flight()
    } else {
        error
    }
}

/// The twin of [`record_in_file`] as a part of a larger statement of PostgreSQL: what it affects are
/// the rows recorded, and when they are fewer than given, roll back with [`in_flight`].
///
/// # Errors
/// A bug: see [`unnest::insert`].
pub fn record_unnested(
    rows: Vec<entity::ActiveModel>,
    arguments: &mut unnest::Arguments,
) -> Result<String> {
    let insert = unnest::insert::<entity::Entity>(rows, arguments)?;
    let now = arguments.push(Timestamp::now().as_millis());
    Ok(format!(
        "{insert} ON CONFLICT (community_id, credential, rpc, key) DO UPDATE SET request_hash = \
         EXCLUDED.request_hash, answer = EXCLUDED.answer, expires_at = EXCLUDED.expires_at WHERE \
         idempotency_keys.expires_at <= {now}"
    ))
}

/// Another request with the key is running, here or in another process.
#[must_use]
pub fn in_flight() -> Error {
    Error::new(
        Reason::IdempotencyInFlight,
        "A request with this Idempotency-Key is still running, try again",
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
    fn enter(all: Arc<Mutex<HashSet<Scope>>>, scope: Scope) -> Result<Self> {
        if !all.lock().insert(scope.clone()) {
            return Err(in_flight());
        }
        Ok(Self { all, scope })
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
