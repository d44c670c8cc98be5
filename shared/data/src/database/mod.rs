//! Connect, migrate, read and write.
//!
//! On SQLite one transaction writes at a time, in the order of a queue, and a few connections read: a transaction
//! that first reads and then writes would otherwise lose against another with "database is locked",
//! whatever the busy timeout. On PostgreSQL readers, writers and group commits have pools of their
//! own, so none starves the others.

mod failure;
pub mod file;
mod migrations;
mod postgres;
mod sqlite;
mod traced;
mod wal;
mod write_queue;

use std::time::Instant;

use guildhall_runtime::{Error, Reason, Result};
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DbBackend, SqliteTransactionMode, TransactionOptions,
    TransactionTrait,
};
use sea_orm_migration::MigratorTrait;

pub use failure::failed;
pub use write_queue::Transaction;

use self::{file::SqliteFile, migrations::Atomic, traced::Step};
use crate::{Storage, metrics::PoolMetrics};

/// What kind of database it is: a few queries have a twin for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    /// The embedded default.
    Sqlite,
    /// For many processes.
    Postgres,
}

impl From<Backend> for DbBackend {
    fn from(backend: Backend) -> Self {
        match backend {
            Backend::Sqlite => Self::Sqlite,
            Backend::Postgres => Self::Postgres,
        }
    }
}

/// The database of one service. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Database {
    backend: Backend,
    reader: Pool,
    writer: Pool,
    batcher: Batcher,
}

/// What group commits write on.
#[derive(Debug, Clone)]
enum Batcher {
    Sqlite(SqliteFile),
    Postgres(Pool),
}

/// Connections, and what is counted of them.
#[derive(Debug, Clone)]
struct Pool {
    connections: DatabaseConnection,
    metrics: PoolMetrics,
}

impl Pool {
    /// `connections` to the database of `service`, for the work that `name` says.
    fn new(
        backend: Backend,
        service: &str,
        name: &str,
        mut connections: DatabaseConnection,
    ) -> Self {
        traced::watch(&mut connections, service);
        Self {
            metrics: PoolMetrics::of(backend, service, name, &connections),
            connections,
        }
    }
}

impl Database {
    /// Opens the database of a service, makes it when it is not there, and brings its tables up to
    /// date under a lock, each migration in a transaction.
    ///
    /// # Errors
    /// When it cannot be reached or written, a migration fails, or it would not be durable.
    pub async fn open<M: MigratorTrait>(storage: &Storage, service: &str) -> Result<Self> {
        match storage {
            Storage::Files(directory) => sqlite::open::<Atomic<M>>(directory, service).await,
            Storage::Postgres(server) => postgres::open::<Atomic<M>>(server, service).await,
        }
    }

    /// Which of its twins a query needs.
    #[must_use]
    pub fn backend(&self) -> Backend {
        self.backend
    }

    /// The connection pool for reading.
    #[must_use]
    pub fn reader(&self) -> &DatabaseConnection {
        &self.reader.connections
    }

    /// The file on which group commits write, where there is one; on a server they write in
    /// [`begin_batch`](Self::begin_batch).
    #[must_use]
    pub fn file(&self) -> Option<&SqliteFile> {
        match &self.batcher {
            Batcher::Sqlite(file) => Some(file),
            Batcher::Postgres(_) => None,
        }
    }

    /// Begins a transaction that may write.
    ///
    /// # Errors
    /// UNREACHABLE when no connection comes free in time, or the write lock does not.
    pub async fn begin(&self) -> Result<Transaction> {
        begin(&self.writer, self.file()).await
    }

    /// Begins a transaction of a [group commit](crate::group_commit) or of its look-ups. On
    /// PostgreSQL it never waits for the connections of others.
    ///
    /// # Errors
    /// As [`begin`](Self::begin).
    pub async fn begin_batch(&self) -> Result<Transaction> {
        match &self.batcher {
            Batcher::Sqlite(_) => self.begin().await,
            Batcher::Postgres(pool) => begin(pool, None).await,
        }
    }

    /// Commits a transaction.
    ///
    /// # Errors
    /// OUTCOME_UNKNOWN when the connection died in between.
    pub async fn commit(transaction: Transaction) -> Result<()> {
        let Transaction { inner, guard } = transaction;
        let backend = inner.get_database_backend();
        let committed = Step::of("COMMIT", backend).run(inner.commit()).await;
        if let Some(guard) = guard {
            guard.end();
        }
        committed.map_err(|error| outcome_unknown().caused_by(error))
    }

    /// Gives a transaction up, and waits for it.
    ///
    /// # Errors
    /// UNREACHABLE when the connection died.
    pub async fn roll_back(transaction: Transaction) -> Result<()> {
        transaction.inner.rollback().await.map_err(failed)
    }
}

async fn begin(pool: &Pool, file: Option<&SqliteFile>) -> Result<Transaction> {
    let asked_at = Instant::now();
    let begun = Step::of("BEGIN", pool.connections.get_database_backend());
    let begun = begun.run(begin_locked(pool, file)).await;
    pool.metrics.begun(asked_at);
    begun
}

async fn begin_locked(pool: &Pool, file: Option<&SqliteFile>) -> Result<Transaction> {
    let guard = match file {
        Some(file) => Some(file.lock().await?),
        None => None,
    };
    let options = TransactionOptions {
        isolation_level: None,
        access_mode: None,
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
    };
    let begun = pool.connections.begin_with_options(options).await;
    let inner = begun.map_err(failed)?;
    Ok(Transaction { inner, guard })
}

/// Nobody can say whether a write was stored.
#[must_use]
pub fn outcome_unknown() -> Error {
    Error::unavailable(
        Reason::OutcomeUnknown,
        "The outcome is unknown, try again with the same Idempotency-Key",
    )
}
