//! The length of a SQLite file's write-ahead log.
//!
//! SQLite copies the log into the database by itself, but begins it anew only if a write starts at a
//! moment when all of it is copied and nobody reads from it. Under constant load that moment does
//! not come, and the log grows. So whoever has written looks at its length, and makes that moment
//! come before the next write.

use std::time::Duration;

use rusqlite::Connection;

/// The pages of a log that is long: 8 MiB.
pub(super) const LONG: i64 = 2_048;

/// By how many pages a log grows after an attempt that failed before the next one: 1 MiB.
const AGAIN_AFTER: i64 = 256;

/// How long an attempt waits for reads to end. Writes wait behind it.
const BUSY_TIMEOUT: Duration = Duration::from_millis(100);

/// Reads the number of pages in the log. It reads memory only.
pub(super) fn pages(connection: &Connection) -> rusqlite::Result<i64> {
    checkpoint(connection, "NOOP").map(|(_, pages)| pages)
}

/// Copies a log of `pages` into the database and waits until nobody reads from it: the next write
/// begins it anew. Answers how long it may be before this is tried again.
pub(super) fn restart(connection: &Connection, pages: i64) -> rusqlite::Result<i64> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    let done = checkpoint(connection, "RESTART");
    connection.busy_timeout(super::sqlite::BUSY_TIMEOUT)?;
    let (was_busy, _) = done?;
    Ok(if was_busy { pages + AGAIN_AFTER } else { LONG })
}

fn checkpoint(connection: &Connection, mode: &str) -> rusqlite::Result<(bool, i64)> {
    let mut pragma = connection.prepare_cached(&format!("PRAGMA wal_checkpoint({mode})"))?;
    pragma.query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
}
