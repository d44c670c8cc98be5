//! The connection on which group commits write to a SQLite file.
//!
//! SeaORM's driver runs each statement on a thread of its own. Under load every hand-over to it and
//! back waits for a core, and a batch has six of them; here a batch is written by the thread that
//! collected it.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering::Relaxed},
    },
    time::Instant,
};

use guildhall_runtime::{Error, Reason, Result};
use parking_lot::Mutex;
use rusqlite::{Connection, Params, Row, TransactionBehavior, types};
use sea_orm::{ActiveModelTrait, ActiveValue, DbBackend, EntityTrait, IdenStatic, Iterable, Value};

use super::{
    failure::{passes, unreachable_now},
    outcome_unknown,
    sqlite::{BUSY_TIMEOUT, PRAGMAS, refuse_weaker},
    traced::Step,
    wal,
    write_queue::{WriteGuard, WriteQueue},
};
use crate::{group_commit::Failure, metrics::PoolMetrics};

/// A service's SQLite file, for its group commits. Cheap to clone.
#[derive(Debug, Clone)]
pub struct SqliteFile {
    service: Arc<str>,
    queue: WriteQueue,
    metrics: PoolMetrics,
    connection: Arc<Mutex<Connection>>,
    /// The pages of its log at which the log is begun anew.
    long: Arc<AtomicI64>,
}

/// Held by the one who writes to the file, until dropped.
#[derive(Debug)]
pub(super) struct FileGuard {
    file: SqliteFile,
    guard: WriteGuard,
}

impl FileGuard {
    /// Ends it after a commit. If the log has become long, others wait until it can begin anew; the
    /// caller does not.
    pub fn end(self) {
        if self.file.log_is_long() {
            tokio::task::spawn_blocking(move || {
                self.file.restart_log();
                drop(self.guard);
            });
        }
    }
}

impl SqliteFile {
    /// `metrics` are those of the other writers: all wait for each other.
    pub(super) fn open(path: &Path, service: &str, metrics: PoolMetrics) -> Result<Self> {
        let connection = connect(path).map_err(failed)?;
        require_durability(&connection)?;
        Ok(Self {
            service: service.into(),
            queue: WriteQueue::default(),
            metrics,
            connection: Arc::new(Mutex::new(connection)),
            long: Arc::new(AtomicI64::new(wal::LONG)),
        })
    }

    /// Waits until nobody else writes to the file.
    ///
    /// # Errors
    /// UNREACHABLE when that takes too long.
    pub(super) async fn lock(&self) -> Result<FileGuard> {
        let guard = self.queue.lock().await?;
        let file = self.clone();
        Ok(FileGuard { file, guard })
    }

    fn log_is_long(&self) -> bool {
        let pages = wal::pages(&self.connection.lock());
        pages.is_ok_and(|pages| pages >= self.long.load(Relaxed))
    }

    fn restart_log(&self) {
        let connection = self.connection.lock();
        let restarted = wal::pages(&connection).and_then(|pages| wal::restart(&connection, pages));
        match restarted {
            Ok(long) => self.long.store(long, Relaxed),
            // The commit stands; the next one tries again.
            Err(error) => tracing::debug!(%error, "the write-ahead log was not restarted"),
        }
    }

    /// Writes in one transaction and commits it. It runs on the calling thread, and blocks it.
    ///
    /// # Errors
    /// As `write` says; UNREACHABLE when others write for too long; unknown when the commit fails.
    pub async fn write<T>(
        &self,
        write: impl FnOnce(&FileTransaction<'_>) -> Result<T>,
    ) -> Result<T, Failure> {
        let (asked_at, begin) = (Instant::now(), Step::of("BEGIN", DbBackend::Sqlite));
        let guard = begin.run(self.lock()).await;
        let guard = guard.inspect_err(|_| self.metrics.begun(asked_at));
        let guard = guard.map_err(Failure::RolledBack)?;
        let written = self.write_now(&begin, asked_at, write)?;
        guard.end();
        Ok(written)
    }

    fn write_now<T>(
        &self,
        begin: &Step,
        asked_at: Instant,
        write: impl FnOnce(&FileTransaction<'_>) -> Result<T>,
    ) -> Result<T, Failure> {
        let mut connection = self.connection.lock();
        let connection = &mut *connection;
        let begun = begin
            .run_here(move || connection.transaction_with_behavior(TransactionBehavior::Immediate));
        self.metrics.begun(asked_at);
        let transaction = FileTransaction {
            inner: begun.map_err(|error| Failure::RolledBack(failed(error)))?,
            service: &self.service,
        };
        let written = write(&transaction).map_err(Failure::RolledBack)?;
        Step::of("COMMIT", DbBackend::Sqlite)
            .run_here(|| transaction.inner.commit())
            .map_err(|error| Failure::Unknown(outcome_unknown().caused_by(error)))?;
        Ok(written)
    }
}

/// A transaction of a group commit on a SQLite file. Its statements are prepared once.
#[derive(Debug)]
pub struct FileTransaction<'a> {
    inner: rusqlite::Transaction<'a>,
    service: &'a str,
}

impl FileTransaction<'_> {
    /// Runs a statement; the number of rows that it changed.
    ///
    /// # Errors
    /// ALREADY_EXISTS for a second row with the same key, UNREACHABLE when the disk is full.
    pub fn execute(&self, statement: &str, parameters: impl Params) -> Result<usize> {
        self.traced(statement, || {
            self.inner.prepare_cached(statement)?.execute(parameters)
        })
    }

    /// Runs a statement that answers rows.
    ///
    /// # Errors
    /// As [`execute`](Self::execute).
    pub fn query<T>(
        &self,
        statement: &str,
        parameters: impl Params,
        of_row: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>> {
        self.traced(statement, || {
            let mut prepared = self.inner.prepare_cached(statement)?;
            prepared.query_map(parameters, of_row)?.collect()
        })
    }

    /// Inserts rows, in their order. All set the same columns; the others are left to their
    /// defaults.
    ///
    /// # Errors
    /// As [`execute`](Self::execute), and a bug for a value of a type that no table of ours has.
    pub fn insert<E: EntityTrait>(&self, rows: &[E::ActiveModel]) -> Result<()> {
        let Some(first) = rows.first() else {
            return Ok(());
        };
        let is_set = |column: &E::Column| !matches!(first.get(*column), ActiveValue::NotSet);
        let columns: Vec<_> = E::Column::iter().filter(is_set).collect();
        let statement = insert_into::<E>(&columns);
        self.traced(&statement, || {
            let mut prepared = self.inner.prepare_cached(&statement)?;
            for row in rows {
                for (place, column) in (1..).zip(&columns) {
                    prepared.raw_bind_parameter(place, value_of(row.get(*column))?)?;
                }
                prepared.raw_execute()?;
            }
            Ok(())
        })
    }

    fn traced<T>(&self, statement: &str, run: impl FnOnce() -> rusqlite::Result<T>) -> Result<T> {
        let step = Step::statement(statement, self.service);
        step.run_here(run).map_err(failed)
    }
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    for (pragma, value) in PRAGMAS {
        connection.pragma_update(None, pragma, value)?;
    }
    Ok(connection)
}

fn require_durability(connection: &Connection) -> Result<()> {
    let read = || {
        let journal = connection.pragma_query_value(None, "journal_mode", |row| row.get(0))?;
        let synchronous = connection.pragma_query_value(None, "synchronous", |row| row.get(0))?;
        Ok((journal, synchronous))
    };
    let (journal, synchronous): (String, i32) = read().map_err(failed)?;
    refuse_weaker(&journal, synchronous)
}

fn insert_into<E: EntityTrait>(columns: &[E::Column]) -> String {
    let table = E::default().table_name().to_owned();
    let names: Vec<_> = columns.iter().map(IdenStatic::as_str).collect();
    let places = vec!["?"; columns.len()];
    let (names, places) = (names.join(", "), places.join(", "));
    format!("INSERT INTO {table} ({names}) VALUES ({places})")
}

#[expect(clippy::wildcard_enum_match_arm, reason = "a foreign enum that grows")]
fn value_of(value: ActiveValue<Value>) -> rusqlite::Result<types::Value> {
    use types::Value::{Blob, Integer, Null, Text};
    let unfit = |what: &str| Err(rusqlite::Error::ToSqlConversionFailure(what.into()));
    let value = match value {
        ActiveValue::Set(value) | ActiveValue::Unchanged(value) => value,
        ActiveValue::NotSet => return unfit("rows of one insert set different columns"),
    };
    Ok(match value {
        Value::String(text) => text.map_or(Null, Text),
        Value::Bytes(bytes) => bytes.map_or(Null, Blob),
        Value::BigInt(number) => number.map_or(Null, Integer),
        Value::Int(number) => number.map_or(Null, |number| Integer(number.into())),
        Value::SmallInt(number) => number.map_or(Null, |number| Integer(number.into())),
        Value::Bool(flag) => flag.map_or(Null, |flag| Integer(flag.into())),
        _ => return unfit("a type that no table has"),
    })
}

/// What a failed statement means to the caller: the twin of [`super::failed`].
fn failed(error: rusqlite::Error) -> Error {
    let Some(failure) = error.sqlite_error() else {
        return Error::internal(error);
    };
    match failure.extended_code {
        rusqlite::ffi::SQLITE_CONSTRAINT_UNIQUE | rusqlite::ffi::SQLITE_CONSTRAINT_PRIMARYKEY => {
            Error::new(Reason::AlreadyExists, "It exists already").caused_by(error)
        }
        code if passes(&code.to_string()) => unreachable_now(error),
        _ => Error::internal(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_that_would_lose_what_it_acknowledged_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let connection = connect(&folder.path().join("test.db")).unwrap();
        assert!(require_durability(&connection).is_ok());
        for weaker in ["NORMAL", "OFF"] {
            connection
                .pragma_update(None, "synchronous", weaker)
                .unwrap();
            let refused = require_durability(&connection).unwrap_err();
            assert!(refused.with_causes().contains("durable"), "{weaker}");
        }
    }

    #[test]
    fn a_full_disk_passes_and_a_wrong_statement_does_not() {
        let error = |code| {
            let code = rusqlite::ffi::Error::new(code);
            failed(rusqlite::Error::SqliteFailure(code, None)).reason()
        };
        for passing in [
            rusqlite::ffi::SQLITE_FULL,
            rusqlite::ffi::SQLITE_BUSY,
            rusqlite::ffi::SQLITE_BUSY_SNAPSHOT,
        ] {
            assert_eq!(error(passing), Reason::Unreachable, "{passing}");
        }
        assert_eq!(error(rusqlite::ffi::SQLITE_ERROR), Reason::Internal);
        let taken = rusqlite::ffi::SQLITE_CONSTRAINT_PRIMARYKEY;
        assert_eq!(error(taken), Reason::AlreadyExists);
    }
}
