//! SQLite's own loop: one writer, one durable transaction a message.

use std::{
    path::Path,
    str::FromStr,
    time::{Duration, Instant},
};

use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection, Row, SqliteConnection, sqlite::SqliteConnectOptions,
};
use tempfile::TempDir;

use super::tables::TABLES;
use crate::Result;

/// As `shared/data/src/database/sqlite.rs` sets them.
const PRAGMAS: [(&str, &str); 5] = [
    ("journal_mode", "WAL"),
    ("synchronous", "FULL"),
    ("foreign_keys", "ON"),
    ("cache_size", "-8192"),
    ("temp_store", "MEMORY"),
];

/// One call of the driver, so that its own cost is as small as it can be.
const SEND: &str = "
BEGIN IMMEDIATE;
INSERT INTO messages (community_id, id, number, channel_id, seq, user_id, kind, text, direct, encrypted, reply_count, created_at)
VALUES (?, ?, ?, ?, ?, ?, 1, ?, 0, 0, 0, ?);
INSERT INTO outbox (event_id, community_id, partition, payload, created_at)
VALUES (?, ?, 7, ?, ?);
COMMIT";

/// A database with tables like messaging's, and its one writer.
#[derive(Debug)]
pub struct Sqlite {
    writer: SqliteConnection,
    number: i64,
    _folder: TempDir,
}

impl Sqlite {
    /// A new database beside others in the system's temporary folder, where the platform's lies as
    /// well; its tables are those of the database at `like`.
    ///
    /// # Errors
    /// When it cannot be made.
    pub async fn like(like: &Path) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let mut options = SqliteConnectOptions::new()
            .filename(folder.path().join("floor.db"))
            .create_if_missing(true);
        for (name, value) in PRAGMAS {
            options = options.pragma(name, value);
        }
        let mut writer = options.disable_statement_logging().connect().await?;
        for statement in definitions(like).await? {
            let made = sqlx::raw_sql(AssertSqlSafe(statement));
            made.execute(&mut writer).await?;
        }
        Ok(Self {
            writer,
            number: 0,
            _folder: folder,
        })
    }

    /// Commits messages of this text for a while; transactions per second.
    ///
    /// # Errors
    /// When a statement fails.
    pub async fn run(&mut self, text: &str, event: usize, time: Duration) -> Result<f64> {
        let (id, event) = ("c".repeat(24), vec![b'e'; event]);
        let (begin, first) = (Instant::now(), self.number);
        while begin.elapsed() < time {
            self.number += 1;
            let (number, own) = (self.number, format!("{:024x}", self.number));
            let channel = format!("{}{}", &id[..23], number % 8);
            let send = sqlx::query(SEND)
                .bind(&id)
                .bind(&own)
                .bind(number)
                .bind(channel)
                .bind(number)
                .bind(&id)
                .bind(text)
                .bind(number)
                .bind(&own)
                .bind(&id)
                .bind(&event)
                .bind(number);
            send.execute(&mut self.writer).await?;
        }
        Ok((self.number - first) as f64 / begin.elapsed().as_secs_f64())
    }
}

/// The statements that made the tables and indexes of a database.
async fn definitions(of: &Path) -> Result<Vec<String>> {
    let mut other = reader(of).await?;
    let named = TABLES.map(|table| format!("'{table}'")).join(", ");
    let query = format!(
        "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND tbl_name IN ({named})
         ORDER BY type DESC"
    );
    let rows = sqlx::query(AssertSqlSafe(query))
        .fetch_all(&mut other)
        .await?;
    other.close().await?;
    Ok(rows
        .iter()
        .map(|row| row.try_get(0))
        .collect::<Result<_, _>>()?)
}

/// The number of rows of a table, or what another expression says of it.
///
/// # Errors
/// When it cannot be read.
pub async fn ask(database: &Path, query: &'static str) -> Result<i64> {
    let mut connection = reader(database).await?;
    let answer = sqlx::query_scalar(query).fetch_one(&mut connection).await?;
    connection.close().await?;
    Ok(answer)
}

async fn reader(database: &Path) -> Result<SqliteConnection> {
    let options = SqliteConnectOptions::from_str("sqlite:")?
        .filename(database)
        .read_only(true)
        .disable_statement_logging();
    Ok(options.connect().await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_transaction_stores_a_message_and_an_event() {
        let other = tempfile::tempdir().unwrap();
        let like = other.path().join("messaging.db");
        let options = SqliteConnectOptions::new()
            .filename(&like)
            .create_if_missing(true);
        let mut made = options.connect().await.unwrap();
        let tables = "
            CREATE TABLE messages (community_id, id, number UNIQUE, channel_id, seq, user_id, kind,
                text, direct, encrypted, reply_count, created_at);
            CREATE TABLE outbox (position INTEGER PRIMARY KEY, event_id, community_id, partition,
                payload, created_at);
            CREATE INDEX by_id ON messages (id)";
        sqlx::raw_sql(tables).execute(&mut made).await.unwrap();
        let mut floor = Sqlite::like(&like).await.unwrap();
        let rate = floor
            .run("hello", 10, Duration::from_millis(30))
            .await
            .unwrap();
        assert!(rate > 0.0);
        for query in [
            "SELECT count(*) FROM messages",
            "SELECT count(*) FROM outbox",
        ] {
            let rows: i64 = sqlx::query_scalar(query)
                .fetch_one(&mut floor.writer)
                .await
                .unwrap();
            assert_eq!(rows, floor.number, "{query}");
        }
        let synchronous: i64 = sqlx::query_scalar("PRAGMA synchronous")
            .fetch_one(&mut floor.writer)
            .await
            .unwrap();
        assert_eq!(synchronous, 2, "durable");
    }
}
