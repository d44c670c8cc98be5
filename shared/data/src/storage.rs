//! Where the services of a platform keep their data: each in a database of its own.

use std::{
    borrow::Cow,
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use guildhall_runtime::{Error, Result};
use sqlx::postgres::PgConnectOptions;
use url::Url;

/// The prefix of the databases' names when the URL names none.
const PREFIX: &str = "guildhall";

/// What the URL may say besides.
const PARAMETERS: &[&str] = &["sslmode", "sslrootcert", "sslcert", "sslkey", "options"];

/// PostgreSQL cuts longer names off; the longest service takes 13 of them.
const MAX_PREFIX: usize = 48;

/// Where the databases are.
#[derive(Debug, Clone)]
pub enum Storage {
    /// A SQLite file per service in this directory.
    Files(PathBuf),
    /// A PostgreSQL database per service on this server.
    Postgres(PostgresServer),
}

impl Storage {
    /// Files in a directory.
    #[must_use]
    pub fn files(directory: &Path) -> Self {
        Self::Files(directory.to_owned())
    }

    /// The same for a command of an operator: connections are opened when they are needed, and not
    /// at the start for many callers.
    #[must_use]
    pub fn on_demand(self) -> Self {
        match self {
            Self::Files(directory) => Self::Files(directory),
            Self::Postgres(server) => Self::Postgres(PostgresServer {
                on_demand: true,
                ..server
            }),
        }
    }
}

/// A PostgreSQL server and how its databases are called. Shows neither user nor password.
#[derive(Clone)]
pub struct PostgresServer {
    options: Arc<PgConnectOptions>,
    prefix: String,
    on_demand: bool,
}

impl PostgresServer {
    /// Reads `postgres://user:password@host:port/prefix?sslmode=…`.
    ///
    /// # Errors
    /// With what is wrong, never with the URL: it may hold a password.
    pub fn parse(url: &str) -> Result<Self> {
        let wrong = |what: &str| {
            Error::bug(format!(
                "the database URL {what}: it has the form postgres://user:password@host:port/prefix"
            ))
        };
        let parsed = Url::parse(url).map_err(|_| wrong("cannot be read"))?;
        if !matches!(parsed.scheme(), "postgres" | "postgresql") {
            return Err(wrong("must begin with postgres://"));
        }
        let prefix = match parsed.path().trim_matches('/') {
            "" => PREFIX,
            prefix => prefix,
        };
        let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if prefix.len() > MAX_PREFIX || !prefix.chars().all(is_name) {
            let what = format!(
                "must name a prefix of at most {MAX_PREFIX} lower-case letters, digits and _"
            );
            return Err(wrong(&what));
        }
        // The driver would log the others with their values.
        let known = |(key, _): (Cow<'_, str>, Cow<'_, str>)| PARAMETERS.contains(&&*key);
        if !parsed.query_pairs().all(known) || parsed.fragment().is_some() {
            let what = format!("may have the parameters {} alone", PARAMETERS.join(", "));
            return Err(wrong(&what));
        }
        let options = url.parse().map_err(|_| wrong("cannot be read"))?;
        Ok(Self {
            options: Arc::new(options),
            prefix: prefix.to_owned(),
            on_demand: false,
        })
    }

    /// The name of a service's database.
    pub(crate) fn database(&self, service: &str) -> String {
        format!("{}_{service}", self.prefix)
    }

    /// How many connections to open at the start, of those that many callers need.
    pub(crate) fn at_start(&self, connections: u32) -> u32 {
        match self.on_demand {
            true => 0,
            false => connections,
        }
    }

    /// How to connect to the database of this name.
    pub(crate) fn options(&self, database: &str) -> PgConnectOptions {
        PgConnectOptions::clone(&self.options).database(database)
    }
}

impl fmt::Debug for PostgresServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for PostgresServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.options.get_socket() {
            Some(socket) => write!(f, "PostgreSQL at {}", socket.display()),
            None => write!(
                f,
                "PostgreSQL at {}:{}",
                self.options.get_host(),
                self.options.get_port()
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_service_has_a_database_of_its_own() {
        let named = PostgresServer::parse("postgres://u:p@db:6432/chess").unwrap();
        assert_eq!(named.database("messaging"), "chess_messaging");
        let unnamed = PostgresServer::parse("postgresql://u@db").unwrap();
        assert_eq!(unnamed.database("identity"), "guildhall_identity");
        assert_eq!(
            named.options("x").get_database(),
            Some("x"),
            "the URL's own path is the prefix alone"
        );
    }

    #[test]
    fn neither_what_is_shown_nor_what_is_refused_tells_the_password() {
        let server = PostgresServer::parse("postgres://secretuser:hunter2@db:6432/chess").unwrap();
        let shown = format!(
            "{server} {server:?} {:?}",
            Storage::Postgres(server.clone())
        );
        assert!(shown.contains("db:6432"), "{shown}");
        assert!(!shown.contains("hunter2") && !shown.contains("secretuser"));
        for refused in [
            "mysql://u:hunter2@db/chess",
            "postgres://u:hunter2@db/Chess-1",
            "hunter2",
            "postgres://u:hunter2@db:port/chess",
            "postgres://u:hunter2@db/chess?sslmode=perhaps",
            "postgres://u@db/chess?pasword=hunter2",
            "postgres://u:x#hunter2@db/chess",
            "postgres://u:1?hunter2@db/chess",
        ] {
            let error = PostgresServer::parse(refused).unwrap_err().with_causes();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
