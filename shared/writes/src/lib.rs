//! Writes that callers may repeat.
//!
//! An RPC whose `idempotency` option is KEYED is one write, and [`Writes::run`] is the way to it:
//!
//! 1. The request's Idempotency-Key is claimed under the path of the RPC. A repeat ends here, with
//!    the first answer.
//! 2. The write checks what it was given. On SQLite one transaction writes at a time, so none
//!    begins before everything is checked that needs none.
//! 3. [`Write::begin`] begins the transaction.
//! 4. [`Write::finish`] records the answer in it and commits. Only a finished write can be answered.
//!
//! ```ignore
//! self.writes.run(request, Answer::Plain, |write, request| async move {
//!     let name = text::line("name", &request.name, MAX_NAME)?;
//!     let transaction = write.begin().await?;
//!     let thing = things::insert(&transaction, write.caller.community, name).await?;
//!     write.finish(transaction, CreateThingResponse { thing: Some(present::thing(thing)) }).await
//! }).await
//! ```
//!
//! A write that goes to disk with others ([`guildhall_data::group_commit`]) takes its ticket with
//! it: [`Writes::claim`].

use std::{future::Future, sync::Arc, time::Duration};

use guildhall_auth::{Caller, CallerExt, request::answer};
use guildhall_data::{
    Claim, Database, Idempotency, IdempotencyKey, Ticket, Transaction,
    idempotency::{self, Answer},
    sweep,
};
use guildhall_proto::access::v1::Idempotency as Repeat;
use guildhall_runtime::{Error, Result, Shutdown};
use prost::Message;
use tonic::{Request, Response};

/// The repeatable writes of one service. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Writes {
    database: Database,
    idempotency: Idempotency,
}

/// What makes repeats of a call known.
#[derive(Debug)]
pub struct Keyed {
    /// The key; without one each call is the first.
    pub key: Option<IdempotencyKey>,
    /// The path of the RPC.
    pub rpc: Arc<str>,
}

impl Keyed {
    /// The Idempotency-Key of a call.
    ///
    /// # Errors
    /// INVALID_VALUE for a malformed key; INTERNAL for an RPC that is not KEYED.
    pub fn of<Q>(request: &Request<Q>) -> Result<Self> {
        let rule = request.rule()?;
        if rule.idempotency != Repeat::Keyed {
            let why = format!("{} claims a key and is not KEYED", rule.path);
            return Err(Error::bug(why));
        }
        Ok(Self {
            key: request.idempotency_key()?,
            rpc: Arc::clone(&rule.path),
        })
    }

    /// A key that the message of a call names itself, such as a `dedup_id`.
    ///
    /// # Errors
    /// INTERNAL for a call that has not come through the access layer.
    pub fn named<Q>(request: &Request<Q>, key: Option<IdempotencyKey>) -> Result<Self> {
        let rpc = Arc::clone(&request.rule()?.path);
        Ok(Self { key, rpc })
    }
}

impl Writes {
    /// Writes into `database`, which has the table of idempotency keys. Expired keys are deleted
    /// until `shutdown`.
    #[must_use]
    pub fn open(database: &Database, shutdown: &Shutdown) -> Self {
        sweep::start::<idempotency::entity::Entity>(
            database.clone(),
            idempotency::entity::Column::ExpiresAt,
            Duration::ZERO,
            shutdown.clone(),
        );
        Self {
            idempotency: Idempotency::new(database.clone()),
            database: database.clone(),
        }
    }

    /// Does what a call asks for, or answers as it was answered first.
    ///
    /// # Errors
    /// As `write` says; IDEMPOTENCY_MISMATCH for a key that was used with another request,
    /// IDEMPOTENCY_IN_FLIGHT while the first is running; INTERNAL for an RPC that is not KEYED.
    pub async fn run<Q, A, W>(
        &self,
        request: Request<Q>,
        kind: Answer,
        write: impl FnOnce(Write, Q) -> W,
    ) -> Result<Response<A>>
    where
        Q: Message,
        A: Message + Default,
        W: Future<Output = Result<Finished<A>>>,
    {
        let (caller, keyed) = (request.caller()?, Keyed::of(&request)?);
        let request = request.into_inner();
        match self.claim(keyed, &request, kind).await? {
            Claim::Replay(first) => Ok(answer(first, true)),
            Claim::First(ticket) => {
                let database = self.database.clone();
                let first = Write {
                    caller,
                    ticket,
                    database,
                };
                let Finished(first) = write(first, request).await?;
                Ok(answer(first, false))
            }
        }
    }

    /// Claims the key of a call for its message.
    ///
    /// # Errors
    /// IDEMPOTENCY_MISMATCH for a key that was used with another message, IDEMPOTENCY_IN_FLIGHT
    /// while the first is running.
    pub async fn claim<Q: Message, A: Message + Default>(
        &self,
        Keyed { key, rpc }: Keyed,
        message: &Q,
        kind: Answer,
    ) -> Result<Claim<A>> {
        self.idempotency.claim(key, rpc, message, kind).await
    }

    /// Claims another key of the call that holds `ticket`, such as a `dedup_id`: see
    /// [`Idempotency::claim_also`].
    ///
    /// # Errors
    /// IDEMPOTENCY_MISMATCH for a key that was used with another message, IDEMPOTENCY_IN_FLIGHT
    /// while the first is running.
    pub async fn claim_also<Q: Message, A: Message + Default>(
        &self,
        ticket: Ticket,
        key: IdempotencyKey,
        scope: &'static str,
        message: &Q,
        kept: Duration,
    ) -> Result<Claim<A>> {
        let keys = &self.idempotency;
        keys.claim_also(ticket, key, scope, message, kept).await
    }

    /// Claims all keys of a call, each for the message that it stands for. If one of them was answered,
    /// the others are answered the same from then on.
    ///
    /// # Errors
    /// As [`claim`](Self::claim) says of each.
    pub async fn claim_all<Q: Message, A: Message + Default>(
        &self,
        keys: impl IntoIterator<Item = (Keyed, Q)>,
        kind: Answer,
    ) -> Result<Claim<A>> {
        let (mut ticket, mut has_new, mut first) = (Ticket::none(), false, None);
        for (keyed, message) in keys {
            match self.claim(keyed, &message, kind).await? {
                Claim::First(new) => (ticket, has_new) = (ticket.and(new), true),
                Claim::Replay(answer) => first = first.or(Some(answer)),
            }
        }
        let Some(first) = first else {
            return Ok(Claim::First(ticket));
        };
        if has_new {
            let transaction = self.database.begin().await?;
            ticket.record(&transaction, &first).await?;
            Database::commit(transaction).await?;
        }
        Ok(Claim::Replay(first))
    }
}

/// A write that is the first of its key.
#[derive(Debug)]
pub struct Write {
    /// Who asks for it.
    pub caller: Arc<Caller>,
    ticket: Ticket,
    database: Database,
}

/// An answer that is recorded and committed.
#[derive(Debug)]
pub struct Finished<A>(A);

impl Write {
    /// Begins the transaction of the write.
    ///
    /// # Errors
    /// UNREACHABLE when no connection comes free in time.
    pub async fn begin(&self) -> Result<Transaction> {
        self.database.begin().await
    }

    /// Records the answer in the write's transaction, and commits.
    ///
    /// # Errors
    /// IDEMPOTENCY_IN_FLIGHT when another process was faster, OUTCOME_UNKNOWN when the connection
    /// died at the commit.
    pub async fn finish<A: Message>(
        self,
        transaction: Transaction,
        answer: A,
    ) -> Result<Finished<A>> {
        self.ticket.record(&transaction, &answer).await?;
        Database::commit(transaction).await?;
        Ok(Finished(answer))
    }
}
