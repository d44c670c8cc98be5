//! A service's database on a PostgreSQL server.

use std::{
    io::ErrorKind,
    time::{Duration, Instant},
};

use guildhall_runtime::{Error, Result};
use sea_orm::{ConnectOptions, ConnectionTrait, DatabaseConnection, DbErr, Statement};
use sea_orm_migration::MigratorTrait;
use sqlx::{Connection, Executor, PgConnection, postgres::PgConnectOptions};

use super::{Backend, Batcher, Database, Pool, failed};
use crate::storage::PostgresServer;

/// Connections that read. Measured on two cores, 8 to 16 in all carry the most transactions.
const READERS: u32 = 8;
/// Connections that write one thing at a time.
const WRITERS: u32 = 4;
/// Connections of the group commit: one that commits, and one that looks up what became of a
/// commit whose connection died.
const BATCHERS: u32 = 2;

/// How long a request waits for a free connection: a crowd is served in turn, as long as there is
/// hope to answer within the 15 seconds that a request has at the gateway.
const ACQUIRE: Duration = Duration::from_secs(8);
/// How long a connection may take to show that it is fit for the next: one that was cut off
/// never does, and must not keep its place in the pool.
const RELEASE: Duration = Duration::from_secs(2);
/// How long a start waits for a server that is not there yet.
const START: Duration = Duration::from_secs(30);
/// How long the server may take to let a start in.
const CONNECT: Duration = Duration::from_secs(5);
/// How often the log says that a start waits.
const WARN_EVERY: Duration = Duration::from_secs(10);
/// How long a start rests between two tries.
const REST: Duration = Duration::from_millis(500);
/// Names the lock of the migrations within the service's own database.
const MIGRATION_LOCK: i64 = 0x6775_696c_6468_616c;

/// What the server ends by itself, so that a process that was cut off in mid-transaction does not
/// hold its locks: shorter than what others wait for them.
const SESSION: [(&str, &str); 7] = [
    ("idle_in_transaction_session_timeout", "3s"),
    ("lock_timeout", "6s"),
    ("statement_timeout", "10s"),
    ("client_connection_check_interval", "2s"),
    ("tcp_keepalives_idle", "5"),
    ("tcp_keepalives_interval", "2"),
    ("tcp_keepalives_count", "3"),
];

/// Opens the database of a service, makes it when it is not there, and brings its tables up to
/// date under a lock.
pub(super) async fn open<M: MigratorTrait>(
    server: &PostgresServer,
    service: &str,
) -> Result<Database> {
    let name = server.database(service);
    ensure_database(server, &name).await?;
    let options = server
        .options(&name)
        .application_name(&format!("guildhall-{service}"));
    let cannot_open = |error: DbErr| cannot_open(server, &name, &error);
    let alone = connect(&options, 1, 1).await.map_err(cannot_open)?;
    let synchronous_commit = require_durability(&alone).await?;
    require_schema(&alone, server).await?;
    migrate::<M>(&alone).await.map_err(cannot_open)?;
    // From here on a setting that is weakened while we run weakens nothing of ours.
    let fixed = [("synchronous_commit", synchronous_commit.as_str())];
    let options = options.options(SESSION).options(fixed);
    let connect = async |pool, connections, at_start| {
        let connected = connect(&options, connections, at_start).await;
        connected
            .map_err(cannot_open)
            .map(|connected| Pool::new(Backend::Postgres, service, pool, connected))
    };
    let (reader, writer, batcher) = tokio::try_join!(
        // Those that a crowd would have to wait for: a login takes a while on a busy machine.
        connect("reader", READERS, server.at_start(READERS / 2)),
        connect("writer", WRITERS, server.at_start(WRITERS / 2)),
        // A connection belongs to the thread that opens it: here, to that of the group commit.
        connect("batcher", BATCHERS, 0),
    )?;
    Ok(Database {
        backend: Backend::Postgres,
        reader,
        writer,
        batcher: Batcher::Postgres(batcher),
    })
}

/// Waits for the server, and makes the database when it is not there.
async fn ensure_database(server: &PostgresServer, name: &str) -> Result<()> {
    let (began, options) = (Instant::now(), server.options(name));
    let mut warned_at: Option<Instant> = None;
    loop {
        let connecting = PgConnection::connect_with(&options);
        let error = match tokio::time::timeout(CONNECT, connecting).await {
            Ok(Ok(connection)) => {
                // It only had to be there.
                let _ = connection.close().await;
                return Ok(());
            }
            Ok(Err(error)) => error,
            Err(_elapsed) => sqlx::Error::Io(ErrorKind::TimedOut.into()),
        };
        match Trouble::of(&error) {
            Trouble::Missing => return create(server, name).await,
            Trouble::Away if began.elapsed() < START => {
                if warned_at.is_none_or(|at| at.elapsed() > WARN_EVERY) {
                    tracing::warn!(%server, %error, "waiting for the database server");
                    warned_at = Some(Instant::now());
                }
                tokio::time::sleep(REST).await;
            }
            Trouble::Untrusted => return Err(untrusted(server, name, &error)),
            Trouble::Away | Trouble::Refused => return Err(cannot_open(server, name, &error)),
        }
    }
}

/// Why no connection came about.
enum Trouble {
    /// There is no such database.
    Missing,
    /// The server is not there, or not yet.
    Away,
    /// The server does not speak TLS as the URL demands it.
    Untrusted,
    /// The server does not want us.
    Refused,
}

impl Trouble {
    #[expect(clippy::wildcard_enum_match_arm, reason = "a foreign enum that grows")]
    fn of(error: &sqlx::Error) -> Self {
        match error {
            sqlx::Error::Database(error) => match error.code().as_deref() {
                Some("3D000") => Self::Missing,
                // Starting or stopping, or too many connections.
                Some("57P03" | "57P01" | "57P02" | "53300") => Self::Away,
                _ => Self::Refused,
            },
            // The second is how the driver tells of a certificate that it does not trust.
            sqlx::Error::Tls(_) => Self::Untrusted,
            sqlx::Error::Io(error) if error.kind() == ErrorKind::InvalidData => Self::Untrusted,
            sqlx::Error::Io(_) => Self::Away,
            _ => Self::Refused,
        }
    }
}

async fn create(server: &PostgresServer, name: &str) -> Result<()> {
    let made = async {
        let mut connection = PgConnection::connect_with(&server.options("postgres")).await?;
        // The name holds lower-case letters, digits and _ alone.
        let statement = sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"));
        let made = connection.execute(statement).await;
        connection.close().await?;
        made
    };
    match made.await {
        Ok(_) => {
            tracing::info!(%server, database = name, "made the database");
            Ok(())
        }
        Err(sqlx::Error::Database(error))
            if matches!(error.code().as_deref(), Some("42P04" | "23505")) =>
        {
            // Another replica was faster.
            Ok(())
        }
        Err(error) => Err(Error::bug(format!(
            "{server} has no database {name}, and it cannot be made ({error}): make it, or let the \
             role create databases"
        ))),
    }
}

/// Migrates over a single connection, which holds the lock and ends with it: a second process
/// waits.
async fn migrate<M: MigratorTrait>(alone: &DatabaseConnection) -> Result<(), DbErr> {
    let lock = format!("SELECT pg_advisory_lock({MIGRATION_LOCK})");
    alone.execute_unprepared(&lock).await?;
    let migrated = M::up(alone, None).await;
    alone.close_by_ref().await?;
    migrated
}

async fn connect(
    options: &PgConnectOptions,
    connections: u32,
    at_start: u32,
) -> Result<DatabaseConnection, DbErr> {
    let options = options.clone();
    // The real options never enter SeaORM's own, which it shows in its traces.
    let mut pool = ConnectOptions::new("postgres://localhost");
    pool.max_connections(connections)
        .min_connections(at_start)
        .acquire_timeout(ACQUIRE)
        .test_before_acquire_if_idle_for(Duration::from_secs(1))
        .sqlx_logging(false)
        .map_sqlx_postgres_opts(move |_| {
            use sqlx::ConnectOptions;
            options.clone().disable_statement_logging()
        })
        .map_sqlx_postgres_pool_opts(|pool| {
            pool.after_release(|connection, _| {
                Box::pin(async {
                    match tokio::time::timeout(RELEASE, connection.ping()).await {
                        Ok(answer) => answer.map(|()| true),
                        Err(_elapsed) => Err(sqlx::Error::PoolTimedOut),
                    }
                })
            })
        });
    if at_start == 0 {
        // It keeps what its user opens: everybody who writes would wait for another login.
        pool.connect_lazy(true)
            .idle_timeout(None)
            .max_lifetime(None);
    }
    sea_orm::Database::connect(pool).await
}

/// Reads the settings back that decide whether an answered commit survives a power cut; the value
/// of `synchronous_commit`.
async fn require_durability(connection: &DatabaseConnection) -> Result<String> {
    let mut value = String::new();
    for setting in ["fsync", "full_page_writes", "synchronous_commit"] {
        let statement = Statement::from_string(
            connection.get_database_backend(),
            format!("SELECT current_setting('{setting}')"),
        );
        let row = connection.query_one_raw(statement).await.map_err(failed)?;
        let row = row.ok_or_else(|| Error::bug(format!("no answer to {setting}")))?;
        value = row.try_get_by_index(0).map_err(failed)?;
        if value == "off" {
            return Err(Error::bug(format!(
                "the database would not be durable: {setting} is off; switch it on for the server, \
                 the database and the role"
            )));
        }
    }
    Ok(value)
}

/// Refuses a database whose tables lie in another schema than ours would: a `search_path` of the
/// role may have led there before, and a second set of empty tables would look like a loss.
async fn require_schema(connection: &DatabaseConnection, server: &PostgresServer) -> Result<()> {
    let ours = server.schema();
    let statement = Statement::from_string(
        connection.get_database_backend(),
        "SELECT schemaname::text FROM pg_tables WHERE tablename = 'seaql_migrations' ORDER BY 1",
    );
    let rows = connection.query_all_raw(statement).await.map_err(failed)?;
    let schemas: Result<Vec<String>, _> = rows.iter().map(|row| row.try_get_by_index(0)).collect();
    let schemas = schemas.map_err(failed)?;
    match schemas.first() {
        Some(theirs) if !schemas.iter().any(|schema| schema == ours) => Err(Error::bug(format!(
            "the tables of this database are in the schema {theirs}, not in {ours}: add \
             schema={theirs} to the database URL"
        ))),
        Some(_) | None => Ok(()),
    }
}

fn untrusted(server: &PostgresServer, name: &str, source: &dyn std::error::Error) -> Error {
    Error::bug(format!(
        "cannot open the database {name} of {server} over TLS: {source}. In the database URL, \
         sslrootcert=FILE names the authority of the server's certificate, sslmode=require takes \
         any certificate, and sslmode=disable does without TLS"
    ))
}

fn cannot_open(server: &PostgresServer, name: &str, source: &dyn std::error::Error) -> Error {
    Error::bug(format!(
        "cannot open the database {name} of {server}: {source}"
    ))
}
