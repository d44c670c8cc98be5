//! Where the services of a platform keep their data: each in a database of its own.

use std::{
    borrow::Cow,
    env, fmt,
    net::IpAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use guildhall_runtime::{Error, Result, private::require_private};
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use url::Url;

/// The prefix of the databases' names when the URL names none.
const PREFIX: &str = "guildhall";

/// What the URL may say besides.
const PARAMETERS: &[&str] = &[
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "options",
    SCHEMA,
];

/// The parameter with the schema of the tables; it is ours, the driver does not know it.
const SCHEMA: &str = "schema";

/// PostgreSQL cuts longer names than 63 off; the longest service takes 13 of them.
const MAX_NAME: usize = 48;

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
    schema: String,
    on_demand: bool,
}

impl PostgresServer {
    /// Reads `postgres://user:password@host:port/prefix?sslmode=…`. Without `sslmode` (or the
    /// variable `PGSSLMODE`) a server that is not on this machine must prove over TLS who it is.
    ///
    /// # Errors
    /// With what is wrong, never with the URL: it may hold a password. A private key that others
    /// may read.
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
        let schema = parameter(&parsed, SCHEMA);
        let schema = schema.as_deref().unwrap_or("public");
        for (name, what) in [(prefix, "prefix"), (schema, SCHEMA)] {
            if !is_name(name) {
                let what = format!(
                    "must name a {what} of at most {MAX_NAME} lower-case letters, digits and _"
                );
                return Err(wrong(&what));
            }
        }
        // The driver would log the others with their values.
        let known = |(key, _): (Cow<'_, str>, Cow<'_, str>)| PARAMETERS.contains(&&*key);
        if !parsed.query_pairs().all(known) || parsed.fragment().is_some() {
            let what = format!("may have the parameters {} alone", PARAMETERS.join(", "));
            return Err(wrong(&what));
        }
        if parameter(&parsed, "options").is_some_and(|options| options.contains("search_path")) {
            return Err(wrong("must name the schema as schema=NAME, not in options"));
        }
        if let Some(key) = parameter(&parsed, "sslkey") {
            require_private(Path::new(&key))?;
        }
        let options = without(&parsed, SCHEMA).as_str().parse();
        let options: PgConnectOptions = options.map_err(|_| wrong("cannot be read"))?;
        let is_told = parameter(&parsed, "sslmode").is_some() || env::var_os("PGSSLMODE").is_some();
        let options = match is_told || is_local(&options) {
            true => options,
            false => options.ssl_mode(PgSslMode::VerifyFull),
        };
        Ok(Self {
            // `pg_temp` last: else temporary tables would come before ours.
            options: Arc::new(options.options([("search_path", format!("{schema},pg_temp"))])),
            prefix: prefix.to_owned(),
            schema: schema.to_owned(),
            on_demand: false,
        })
    }

    /// The schema of the tables.
    pub(crate) fn schema(&self) -> &str {
        &self.schema
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

/// Whether a text is the name of a schema, or of a database with the name of a service behind it.
fn is_name(text: &str) -> bool {
    let is_fine = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    (1..=MAX_NAME).contains(&text.len()) && text.chars().all(is_fine)
}

fn parameter(url: &Url, name: &str) -> Option<String> {
    let mut pairs = url.query_pairs();
    let (_, value) = pairs.find(|(key, _)| key == name)?;
    Some(value.into_owned())
}

/// The URL without one of its parameters.
fn without(url: &Url, name: &str) -> Url {
    let mut rest = url.clone();
    let others = url.query_pairs().filter(|(key, _)| key != name);
    rest.query_pairs_mut().clear().extend_pairs(others);
    rest
}

/// Whether the way to the server stays on this machine.
fn is_local(options: &PgConnectOptions) -> bool {
    let host = options.get_host().trim_matches(['[', ']']);
    let address = host.parse::<IpAddr>();
    options.get_socket().is_some()
        // The driver's default host may be the folder of a socket.
        || host.starts_with('/')
        || host.eq_ignore_ascii_case("localhost")
        || address.is_ok_and(|address| address.to_canonical().is_loopback())
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
    fn a_server_elsewhere_must_prove_who_it_is_unless_the_url_says_otherwise() {
        let mode = |url: &str| {
            let server = PostgresServer::parse(url).unwrap();
            format!("{:?}", server.options("x").get_ssl_mode())
        };
        for local in [
            "postgres://u@localhost/g",
            "postgres://u@127.0.0.1:5432/g",
            "postgres://u@[::1]/g",
            "postgres://u@%2Fvar%2Frun%2Fpostgresql/g",
            "postgres:///g",
        ] {
            assert_eq!(mode(local), "Prefer", "{local}");
        }
        for elsewhere in ["db", "192.0.2.1", "[2001:db8::1]", "localhost.example.com"] {
            let url = format!("postgres://u@{elsewhere}/g");
            assert_eq!(mode(&url), "VerifyFull");
            assert_eq!(mode(&format!("{url}?sslrootcert=/ca.pem")), "VerifyFull");
            for (said, expected) in [("disable", "Disable"), ("require", "Require")] {
                assert_eq!(mode(&format!("{url}?sslmode={said}")), expected);
            }
        }
    }

    #[test]
    fn the_schema_is_what_the_url_says_and_temporary_tables_come_last() {
        let options = |url: &str| {
            let server = PostgresServer::parse(url).unwrap();
            server.options("x").get_options().unwrap().to_owned()
        };
        let unnamed = options("postgres://u@db/g?options=-c%20geqo%3Doff");
        assert_eq!(unnamed, "-c geqo=off -c search_path=public,pg_temp");
        assert_eq!(
            options("postgres://u@db/g?schema=chess"),
            "-c search_path=chess,pg_temp"
        );
        for refused in [
            "schema=",
            "schema=a,b",
            "schema=A",
            "options=-csearch_path%3Da",
        ] {
            let refused = PostgresServer::parse(&format!("postgres://u@db/g?{refused}"));
            assert!(refused.unwrap_err().with_causes().contains("schema"));
        }
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
