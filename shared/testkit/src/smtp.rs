//! A real SMTP server of a test's own, which does as it is told.

use std::{
    collections::BTreeMap,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::UnixStream,
    process::Command,
};

use crate::{
    cluster::certificates::Certificates,
    folder::Folder,
    port,
    process::{Output, Process, Run},
    program,
    secret::{self, Kind},
};

/// The server, and what it stands on.
const PACKAGES: &[&str] = &["aiosmtpd==1.4.6", "atpublic==5.1", "attrs==25.4.0"];

const SCRIPT: &str = include_str!("smtp.py");

/// Who may send on a server that asks for it.
const USER: &str = "guildhall@example.com";

/// How long an event is waited for.
const TIMEOUT: Duration = Duration::from_secs(60);

/// How a server keeps connections private, and whom it serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Security {
    /// Not at all, and everybody.
    Plain,
    /// In TLS from `STARTTLS` on, and who knows the password.
    StartTls,
    /// In TLS from the start, and who knows the password.
    Tls,
}

/// What a server does with e-mails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Takes them.
    Accept,
    /// Answers to a recipient with this code.
    Refuse(u16),
    /// Does not answer to a recipient.
    Silence,
}

/// An e-mail as its reader sees it.
#[derive(Debug, Clone, Deserialize)]
pub struct Email {
    /// Its headers, decoded, by their names in lower case.
    pub headers: BTreeMap<String, String>,
    /// Its text, decoded.
    pub text: String,
    /// What is wrong with its form.
    pub defects: usize,
    /// Who sent it, as the server was told.
    #[serde(default)]
    pub envelope_from: String,
    /// Who gets it, as the server was told.
    #[serde(default)]
    pub envelope_to: Vec<String>,
}

impl Email {
    /// Reads a file in the format of RFC 5322.
    pub async fn read(path: &Path) -> Self {
        let folder = Folder::new();
        let mut python = Command::new("python3");
        python.arg(script(&folder)).arg("read").arg(path);
        let output = python.output().await.expect("python3 runs");
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}: {error}", path.display());
        serde_json::from_slice(&output.stdout).expect("an e-mail")
    }

    /// One of its headers.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.unwrap_or_else(|| panic!("no {name} in {:?}", self.headers))
    }
}

/// An SMTP server (the Python package `aiosmtpd`) on a free port of 127.0.0.1. What it took, it
/// still knows after a restart. It ends with its owner.
#[derive(Debug)]
pub struct Smtp {
    process: Option<Process>,
    packages: PathBuf,
    address: SocketAddr,
    security: Security,
    password: String,
    certificates: Certificates,
    folder: Folder,
}

impl Smtp {
    /// A running server.
    pub async fn start() -> Self {
        let mut server = Self::away(Security::Plain).await;
        server.start_again().await;
        server
    }

    /// A server that does not run yet, but whose address is known.
    pub async fn away(security: Security) -> Self {
        let packages = tokio::task::spawn_blocking(|| program::packages(PACKAGES)).await;
        let folder = Folder::new();
        let password = secret::hex::<16>();
        secret::learn(Kind::Password, &password);
        Self {
            process: None,
            packages: packages.expect("the packages"),
            address: port::free(),
            security,
            password,
            certificates: Certificates::issue(folder.path()),
            folder,
        }
    }

    /// Starts it on the same port, and waits until it takes connections. It accepts e-mails.
    pub async fn start_again(&mut self) {
        assert!(self.process.is_none(), "the SMTP server runs already");
        let options = json!({
            "host": self.address.ip().to_string(),
            "port": self.address.port(),
            "security": match self.security {
                Security::Plain => "plain",
                Security::StartTls => "starttls",
                Security::Tls => "tls",
            },
            "cert": self.certificates.cert,
            "key": self.certificates.key,
            "user": USER,
            "password": self.password,
            "control": self.folder.join("control"),
            "journal": self.folder.join("journal"),
        });
        // Not as an argument: a list of processes would show the password.
        let file = self.folder.join("options");
        fs::write(&file, options.to_string()).expect("a written file");
        let mut command = Command::new("python3");
        command.arg(script(&self.folder)).arg("serve").arg(file);
        command.env("PYTHONPATH", &self.packages);
        let run = Run {
            name: "the SMTP server".into(),
            command,
            speaks_on: Output::Stdout,
            ready: "ready",
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

    /// Tells it what to do with e-mails from now on.
    pub async fn obey(&self, order: Order) {
        let order = match order {
            Order::Accept => json!({ "do": "accept" }),
            Order::Refuse(code) => json!({ "do": "refuse", "code": code }),
            Order::Silence => json!({ "do": "silence" }),
        };
        let _: Vec<Value> = self.ask(order).await;
    }

    /// The e-mails that it has taken.
    pub async fn emails(&self) -> Vec<Email> {
        self.arrived(0).await
    }

    /// The e-mails that it has taken, once there are that many.
    pub async fn arrived(&self, least: usize) -> Vec<Email> {
        self.ask(json!({ "of": "email", "least": least })).await
    }

    /// The codes of its refusals, once there are that many; 0 where it said nothing.
    pub async fn refused(&self, least: usize) -> Vec<u16> {
        self.ask(json!({ "of": "refused", "least": least })).await
    }

    async fn ask<T: DeserializeOwned>(&self, question: Value) -> T {
        assert!(self.process.is_some(), "the SMTP server does not run");
        let asking = async {
            let control = UnixStream::connect(self.folder.join("control")).await?;
            let mut control = BufReader::new(control);
            control
                .write_all(format!("{question}\n").as_bytes())
                .await?;
            let mut answer = String::new();
            control.read_line(&mut answer).await?;
            std::io::Result::Ok(answer)
        };
        let answer = tokio::time::timeout(TIMEOUT, asking).await;
        let answer = answer.unwrap_or_else(|_| panic!("nothing came of {question}"));
        serde_json::from_str(&answer.expect("an answer")).expect("JSON")
    }

    /// What `--smtp-url` takes.
    #[must_use]
    pub fn url(&self) -> String {
        self.url_with(&self.password)
    }

    /// As [`url`](Self::url), with another password.
    #[must_use]
    pub fn url_with(&self, password: &str) -> String {
        let (user, address) = (USER.replace('@', "%40"), self.address);
        match self.security {
            Security::Plain => format!("smtp://{address}"),
            Security::StartTls => format!("smtp://{user}:{password}@{address}?tls=required"),
            Security::Tls => format!("smtps://{user}:{password}@{address}"),
        }
    }

    /// The PEM file of the authority that its certificate comes from.
    #[must_use]
    pub fn ca(&self) -> &Path {
        &self.certificates.ca
    }
}

fn script(folder: &Folder) -> PathBuf {
    let path = folder.join("smtp.py");
    fs::write(&path, SCRIPT).expect("a script");
    path
}
