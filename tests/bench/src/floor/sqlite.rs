//! SQLite's own loop: one writer, one durable transaction a message.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use rusqlite::{Connection, OpenFlags, TransactionBehavior::Immediate};
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

const MESSAGE: &str = "
INSERT INTO messages (community_id, id, number, channel_id, seq, user_id, kind, text, direct, encrypted, reply_count, created_at)
VALUES (?1, ?2, ?3, ?4, ?3, ?1, 1, ?5, 0, 0, 0, ?3)";

const EVENT: &str = "
INSERT INTO outbox (event_id, community_id, partition, payload, created_at)
VALUES (?1, ?2, 7, ?3, ?4)";

/// A database with tables like messaging's, and its one writer.
#[derive(Debug)]
pub struct Sqlite {
    writer: Connection,
    number: i64,
    _folder: TempDir,
}

impl Sqlite {
    /// A new database beside others in the system's temporary folder, where the platform's lies as
    /// well; its tables are those of the database at `like`.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn like(like: &Path) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let writer = Connection::open(folder.path().join("floor.db"))?;
        for (name, value) in PRAGMAS {
            writer.pragma_update(None, name, value)?;
        }
        for statement in definitions(like)? {
            writer.execute(&statement, ())?;
        }
        Ok(Self {
            writer,
            number: 0,
            _folder: folder,
        })
    }

    /// Commits messages of this text for a while, on the calling thread, with statements that are
    /// prepared once; transactions per second.
    ///
    /// # Errors
    /// When a statement fails.
    pub fn run(&mut self, text: &str, event: usize, time: Duration) -> Result<f64> {
        let (id, event) = ("c".repeat(24), vec![b'e'; event]);
        let (begin, first) = (Instant::now(), self.number);
        while begin.elapsed() < time {
            self.number += 1;
            let (number, own) = (self.number, format!("{:024x}", self.number));
            let channel = format!("{}{}", &id[..23], number % 8);
            let send = self.writer.transaction_with_behavior(Immediate)?;
            send.prepare_cached(MESSAGE)?
                .execute((&id, &own, number, channel, text))?;
            send.prepare_cached(EVENT)?
                .execute((&own, &id, &event, number))?;
            send.commit()?;
        }
        Ok((self.number - first) as f64 / begin.elapsed().as_secs_f64())
    }
}

/// The statements that made the tables and indexes of a database.
fn definitions(of: &Path) -> Result<Vec<String>> {
    let named = TABLES.map(|table| format!("'{table}'")).join(", ");
    let query = format!(
        "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND tbl_name IN ({named})
         ORDER BY type DESC"
    );
    let other = reader(of)?;
    let mut statement = other.prepare(&query)?;
    let found = statement.query_map((), |row| row.get(0))?;
    Ok(found.collect::<Result<_, _>>()?)
}

/// The number of rows of a table, or what another expression says of it.
///
/// # Errors
/// When it cannot be read.
pub fn ask(database: &Path, query: &str) -> Result<i64> {
    Ok(reader(database)?.query_one(query, (), |row| row.get(0))?)
}

fn reader(database: &Path) -> Result<Connection> {
    let connection = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    Ok(connection)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_transaction_stores_a_message_and_an_event() {
        let other = tempfile::tempdir().unwrap();
        let like = other.path().join("messaging.db");
        let tables = "
            CREATE TABLE messages (community_id, id, number UNIQUE, channel_id, seq, user_id, kind,
                text, direct, encrypted, reply_count, created_at);
            CREATE TABLE outbox (position INTEGER PRIMARY KEY, event_id, community_id, partition,
                payload, created_at);
            CREATE INDEX by_id ON messages (id)";
        Connection::open(&like)
            .unwrap()
            .execute_batch(tables)
            .unwrap();
        let mut floor = Sqlite::like(&like).unwrap();
        let rate = floor.run("hello", 10, Duration::from_millis(30)).unwrap();
        assert!(rate > 0.0);
        let ask = |query| -> i64 { floor.writer.query_one(query, (), |row| row.get(0)).unwrap() };
        assert_eq!(ask("SELECT count(*) FROM messages"), floor.number);
        assert_eq!(ask("SELECT count(*) FROM outbox"), floor.number);
        assert_eq!(ask("PRAGMA synchronous"), 2, "durable");
    }
}
