//! A service's database in a SQLite file.

use std::{
    fs::File,
    io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use guildhall_runtime::{
    Error, Result,
    private::{make_directory, require_private},
};
use sea_orm::{ConnectOptions, ConnectionTrait, DatabaseConnection, Statement};
use sea_orm_migration::MigratorTrait;
use sqlx::Connection as _;

use super::{
    Backend, Batcher, Database, Pool, failed, file::SqliteFile, write_queue::QUEUE_TIMEOUT,
};

/// Connections that read. SQLite gains nothing from more than the cores at hand.
const READERS: u32 = 4;

/// How long a write waits for another process (`guildhall bootstrap`) to finish its own.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// What makes a connection durable and quick.
pub(super) const PRAGMAS: [(&str, &str); 5] = [
    ("journal_mode", "WAL"),
    ("synchronous", "FULL"),
    ("foreign_keys", "ON"),
    ("cache_size", "-8192"),
    ("temp_store", "MEMORY"),
];

/// Opens `<directory>/<service>.db`, makes it when it is not there, and brings its tables up to
/// date under a lock.
pub(super) async fn open<M: MigratorTrait>(directory: &Path, service: &str) -> Result<Database> {
    make_directory(directory).map_err(|error| cannot_open(directory, error))?;
    let path = directory.join(format!("{service}.db"));
    // SQLite has made its log and shared memory with the mode that the database had then.
    for ending in ["db", "db-wal", "db-shm"] {
        require_private(&path.with_extension(ending))?;
    }
    // Held until the end of the migrations: a second process waits here.
    let lock = lock_file(directory, service).await?;
    // SQLite gives its log the mode of the file: for its owner alone.
    private_file(&path).map_err(|error| cannot_open(directory, error))?;
    let writer = connect(&path, 1).await?;
    M::up(&writer, None).await.map_err(failed)?;
    drop(lock);
    let reader = connect(&path, READERS).await?;
    require_durability(&writer).await?;
    let pool = |name, connections| Pool::new(Backend::Sqlite, service, name, connections);
    let writer = pool("writer", writer);
    let file = SqliteFile::open(&path, service, writer.metrics.clone())?;
    Ok(Database {
        backend: Backend::Sqlite,
        reader: pool("reader", reader),
        writer,
        batcher: Batcher::Sqlite(file),
    })
}

async fn lock_file(directory: &Path, service: &str) -> Result<File> {
    let path = directory.join(format!("{service}.lock"));
    let lock = tokio::task::spawn_blocking(move || {
        let file = private_file(&path)?;
        file.lock()?;
        Ok::<_, io::Error>(file)
    });
    lock.await
        .map_err(Error::internal)?
        .map_err(|error| cannot_open(directory, error))
}

fn private_file(path: &Path) -> io::Result<File> {
    File::options()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
}

async fn connect(path: &Path, connections: u32) -> Result<DatabaseConnection> {
    let file: PathBuf = path.to_owned();
    let mut options = ConnectOptions::new("sqlite::memory:");
    options
        .max_connections(connections)
        .min_connections(1)
        .acquire_timeout(QUEUE_TIMEOUT)
        .test_before_acquire(false)
        .sqlx_logging(false)
        // When a disk is full SQLite may end a transaction by itself. The driver goes on to count it,
        // and would make later ones parts of it that are never committed: the connection is replaced.
        .map_sqlx_sqlite_pool_opts(|pool| {
            pool.before_acquire(|connection, _| {
                let is_free = !connection.is_in_transaction();
                Box::pin(async move { Ok(is_free) })
            })
        })
        .map_sqlx_sqlite_opts(move |sqlite| {
            let options = sqlite
                .filename(&file)
                .in_memory(false)
                .shared_cache(false)
                .create_if_missing(true)
                .busy_timeout(BUSY_TIMEOUT);
            PRAGMAS.into_iter().fold(options, |options, (name, value)| {
                options.pragma(name, value)
            })
        });
    sea_orm::Database::connect(options)
        .await
        .map_err(|error| cannot_open(path, error))
}

/// Reads the settings back: what was asked for is not always what a file system gives.
async fn require_durability(connection: &DatabaseConnection) -> Result<()> {
    let journal = pragma::<String>(connection, "journal_mode").await?;
    refuse_weaker(&journal, pragma(connection, "synchronous").await?)
}

/// An error for settings that would lose what was acknowledged.
pub(super) fn refuse_weaker(journal: &str, synchronous: i32) -> Result<()> {
    // 2 is FULL: the log is flushed before a commit is answered.
    if !journal.eq_ignore_ascii_case("wal") || synchronous < 2 {
        return Err(Error::bug(format!(
            "the database would not be durable: journal_mode {journal}, synchronous {synchronous}"
        )));
    }
    Ok(())
}

async fn pragma<T: sea_orm::TryGetable>(connection: &DatabaseConnection, name: &str) -> Result<T> {
    let statement =
        Statement::from_string(connection.get_database_backend(), format!("PRAGMA {name}"));
    let row = connection.query_one_raw(statement).await.map_err(failed)?;
    row.ok_or_else(|| Error::bug(format!("no answer to PRAGMA {name}")))?
        .try_get_by_index(0)
        .map_err(failed)
}

fn cannot_open(path: &Path, source: impl std::error::Error) -> Error {
    Error::bug(format!(
        "cannot open the database in {}: {source}",
        path.display()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct NoTables;

    impl MigratorTrait for NoTables {
        fn migrations() -> Vec<Box<dyn sea_orm_migration::MigrationTrait>> {
            Vec::new()
        }
    }

    #[tokio::test]
    async fn a_database_that_would_lose_what_it_acknowledged_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let database = open::<NoTables>(directory.path(), "test").await.unwrap();
        for weaker in ["synchronous = NORMAL", "synchronous = OFF"] {
            let writer = &database.writer.connections;
            let weaken = format!("PRAGMA {weaker}");
            writer.execute_unprepared(&weaken).await.unwrap();
            let refused = require_durability(writer).await.unwrap_err();
            assert!(refused.with_causes().contains("durable"), "{weaker}");
        }
        let writer = &database.writer.connections;
        let strengthen = "PRAGMA synchronous = FULL";
        writer.execute_unprepared(strengthen).await.unwrap();
        assert!(require_durability(writer).await.is_ok());
    }
}
