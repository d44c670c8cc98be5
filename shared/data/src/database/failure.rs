//! What a failed statement means to the caller.

use guildhall_runtime::{Error, Reason};
use sea_orm::{DbErr, RuntimeErr, SqlErr};

use crate::metrics::count_timeout;

/// What a failed statement means to the caller.
#[must_use]
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "a foreign enum: what is not known to pass is our fault"
)]
pub fn failed(error: DbErr) -> Error {
    if let Some(SqlErr::UniqueConstraintViolation(_)) = error.sql_err() {
        return Error::new(Reason::AlreadyExists, "It exists already").caused_by(error);
    }
    match &error {
        _ if is_unstorable(&error) => {
            let message = "A text holds what cannot be stored, such as NUL";
            Error::new(Reason::InvalidValue, message).caused_by(error)
        }
        DbErr::ConnectionAcquire(_) => {
            count_timeout();
            unreachable_now(error)
        }
        DbErr::Conn(_) => unreachable_now(error),
        DbErr::Exec(RuntimeErr::SqlxError(cause)) | DbErr::Query(RuntimeErr::SqlxError(cause))
            if is_passing(cause) =>
        {
            unreachable_now(error)
        }
        _ => Error::internal(error),
    }
}

/// The database cannot answer now; trying again is safe, because nothing was written.
pub(super) fn unreachable_now(cause: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::unavailable(
        Reason::Unreachable,
        "The database is unavailable, try again",
    )
    .caused_by(cause)
}

/// PostgreSQL refuses a text of a statement. Requests are checked before; this is for what was forgotten.
#[expect(clippy::wildcard_enum_match_arm, reason = "a foreign enum that grows")]
fn is_unstorable(error: &DbErr) -> bool {
    match error {
        DbErr::Exec(RuntimeErr::SqlxError(cause)) | DbErr::Query(RuntimeErr::SqlxError(cause)) => {
            let code = cause.as_database_error().and_then(|error| error.code());
            // Not a character of the encoding, and not one of a JSON text.
            code.is_some_and(|code| ["22021", "22P05"].contains(&&*code))
        }
        _ => false,
    }
}

/// A lost connection passes, and so does what the database itself says will.
#[expect(clippy::wildcard_enum_match_arm, reason = "a foreign enum that grows")]
fn is_passing(cause: &sea_orm::SqlxError) -> bool {
    match cause {
        sea_orm::SqlxError::Database(error) => error.code().is_some_and(|code| passes(&code)),
        sea_orm::SqlxError::Io(_)
        | sea_orm::SqlxError::Tls(_)
        | sea_orm::SqlxError::Protocol(_)
        | sea_orm::SqlxError::PoolTimedOut
        | sea_orm::SqlxError::PoolClosed
        | sea_orm::SqlxError::WorkerCrashed
        | sea_orm::SqlxError::BeginFailed => true,
        _ => false,
    }
}

/// SQLite numbers its errors, PostgreSQL has classes of five characters.
pub(super) fn passes(code: &str) -> bool {
    match code {
        // SQLite: busy and its kinds, disk full.
        "5" | "13" | "261" | "517" => true,
        // A lock not had in time, a transaction that idled or took too long.
        "55P03" | "25P03" | "25P04" => true,
        // Connection, rollback after a conflict, resources (disk full, memory, connections),
        // an operator who stops the server.
        _ if code.len() == 5 => ["08", "40", "53", "57"].contains(&&code[..2]),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passes_is_told_apart_from_what_is_wrong() {
        for code in [
            "5", "13", "40001", "40P01", "53100", "57P01", "57014", "08006", "55P03",
        ] {
            assert!(passes(code), "{code}");
        }
        for code in [
            "1", "19", "2067", "22001", "22021", "23503", "42P01", "XX000",
        ] {
            assert!(!passes(code), "{code}");
        }
    }
}
