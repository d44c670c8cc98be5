//! The lock of those who write to a SQLite file: fair, with a queue, which SQLite's own lock is not.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use guildhall_runtime::Result;
use sea_orm::{
    ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, ExecResult, QueryResult, Statement,
};
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::{failure::unreachable_now, file::FileGuard};
use crate::metrics::count_timeout;

/// How long a write waits for the lock.
pub(super) const QUEUE_TIMEOUT: Duration = Duration::from_secs(8);

/// The queue of those who want to write. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct WriteQueue(Arc<Mutex<()>>);

/// Held by the one who writes, until dropped.
#[derive(Debug)]
pub(super) struct WriteGuard(#[expect(dead_code, reason = "held")] OwnedMutexGuard<()>);

impl WriteQueue {
    /// Waits until nobody else writes.
    ///
    /// # Errors
    /// UNREACHABLE when that takes too long.
    pub async fn lock(&self) -> Result<WriteGuard> {
        let taken = tokio::time::timeout(QUEUE_TIMEOUT, Arc::clone(&self.0).lock_owned()).await;
        taken.map(WriteGuard).map_err(|elapsed| {
            count_timeout();
            unreachable_now(elapsed)
        })
    }
}

/// A transaction that may write. Dropped without a commit, it is rolled back.
#[derive(Debug)]
pub struct Transaction {
    // When it is dropped, its rollback has only begun when the next transaction begins: SQLite makes the
    // next wait for these few milliseconds.
    pub(super) inner: DatabaseTransaction,
    pub(super) guard: Option<FileGuard>,
}

#[async_trait]
impl ConnectionTrait for Transaction {
    fn get_database_backend(&self) -> DbBackend {
        self.inner.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        self.inner.execute_raw(statement).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.inner.execute_unprepared(sql).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        self.inner.query_one_raw(statement).await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.inner.query_all_raw(statement).await
    }
}
