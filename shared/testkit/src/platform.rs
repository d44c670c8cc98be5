//! The binary itself.

use std::{
    env,
    ffi::OsString,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    process::{ExitStatus, Output, Stdio},
    time::{Duration, Instant},
};

use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

use crate::{Community, Demo, Rest};

/// How long a start may take; a debug build on a busy machine is slow.
const START: Duration = Duration::from_secs(60);

/// How a platform is started.
#[derive(Debug, Clone)]
pub struct Options {
    /// Whether to make the demo community.
    pub demo: bool,
    /// Requests per second and credential; 0 is off.
    pub rate_limit: u32,
    /// Further flags.
    pub args: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            demo: true,
            rate_limit: 0,
            args: Vec::new(),
        }
    }
}

/// A running platform. Dropping it kills it.
#[derive(Debug)]
pub struct Platform {
    child: Child,
    directory: Directory,
    options: Options,
    http: String,
    grpc: String,
    greeting: Vec<String>,
    started_in: Duration,
}

impl Platform {
    /// Starts the platform with a demo community and no rate limit.
    pub async fn start() -> Self {
        Self::start_with(Options::default()).await
    }

    /// Starts a platform on an empty data directory.
    pub async fn start_with(options: Options) -> Self {
        let directory = Directory(tempfile::tempdir().expect("a temporary directory"));
        Self::start_in(directory, options).await
    }

    async fn start_in(directory: Directory, options: Options) -> Self {
        let begin = Instant::now();
        let log = File::options()
            .create(true)
            .append(true)
            .open(directory.log())
            .expect("a log file");
        let mut command = command(&directory.data());
        command
            .args(["--http", "127.0.0.1:0", "--grpc", "127.0.0.1:0"])
            .args(["--rate-limit", &options.rate_limit.to_string()])
            .args(&options.args)
            .stdout(Stdio::piped())
            .stderr(log)
            .kill_on_drop(true);
        if options.demo {
            command.arg("--demo");
        }
        let mut child = command.spawn().expect("the binary starts");
        let stdout = child.stdout.take().expect("a pipe");
        let ready = tokio::time::timeout(START, wait_until_ready(stdout)).await;
        let Ok(Some(Ready {
            greeting,
            http,
            grpc,
        })) = ready
        else {
            panic!("the platform did not get ready");
        };
        Self {
            child,
            directory,
            options,
            http,
            grpc,
            greeting,
            started_in: begin.elapsed(),
        }
    }

    /// Kills the process (SIGKILL) and starts another on the same data.
    pub async fn kill_and_restart(self) -> Self {
        let (directory, options) = self.kill().await;
        Self::start_in(directory, options).await
    }

    async fn kill(self) -> (Directory, Options) {
        let Self {
            mut child,
            directory,
            options,
            ..
        } = self;
        child.kill().await.expect("the process dies");
        (directory, options)
    }

    /// Asks the process to stop (SIGTERM) and waits for it; its exit status and its log.
    pub async fn stop(self) -> (ExitStatus, String) {
        self.terminate().await;
        self.wait().await
    }

    /// Asks the process to stop (SIGTERM).
    pub async fn terminate(&self) {
        let pid = self.pid().to_string();
        let killed = Command::new("kill").args(["-TERM", &pid]).status().await;
        assert!(killed.expect("kill runs").success());
    }

    /// Waits for the process to end; its exit status and its log.
    pub async fn wait(mut self) -> (ExitStatus, String) {
        let status = self.child.wait().await.expect("an exit status");
        (status, self.log())
    }

    /// Stops the process (SIGTERM) and starts another with `options` on the same data.
    pub async fn restart_with(self, options: Options) -> Self {
        self.terminate().await;
        let Self {
            mut child,
            directory,
            ..
        } = self;
        let status = child.wait().await.expect("an exit status");
        assert!(status.success(), "{status}");
        Self::start_in(directory, options).await
    }

    /// Base of the REST contract.
    #[must_use]
    pub fn http(&self) -> &str {
        &self.http
    }

    /// Base of the gRPC services.
    #[must_use]
    pub fn grpc(&self) -> &str {
        &self.grpc
    }

    /// What it said on standard output before its line `ready`.
    #[must_use]
    pub fn greeting(&self) -> &[String] {
        &self.greeting
    }

    /// From the start of the process to its line `ready`.
    #[must_use]
    pub fn started_in(&self) -> Duration {
        self.started_in
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id().expect("a running process")
    }

    /// A REST client.
    #[must_use]
    pub fn rest(&self) -> Rest {
        Rest::new(&self.http)
    }

    /// The demo community.
    #[must_use]
    pub fn demo(&self) -> Demo {
        let json = fs::read(self.data_dir().join("demo.json")).expect("demo.json");
        serde_json::from_slice(&json).expect("demo.json of its shape")
    }

    /// Makes another community beside the running platform, as an operator does.
    pub async fn bootstrap(&self, name: &str, owner_email: &str) -> Community {
        let output = self
            .command(&[
                "bootstrap",
                "--community",
                name,
                "--owner-email",
                owner_email,
            ])
            .await;
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        serde_json::from_slice(&output.stdout).expect("credentials")
    }

    /// Runs a command of the binary on the same data, until it ends by itself.
    pub async fn command(&self, args: &[&str]) -> Output {
        self.command_in(&self.data_dir(), args).await
    }

    /// Runs the binary on another data directory, until it ends by itself.
    pub async fn command_in(&self, data_dir: &Path, args: &[&str]) -> Output {
        let output = command(data_dir).args(args).output();
        let output = tokio::time::timeout(START, output).await;
        output.expect("it ends by itself").expect("the binary runs")
    }

    /// Where its data lies.
    #[must_use]
    pub fn data_dir(&self) -> PathBuf {
        self.directory.data()
    }

    /// What it has logged.
    #[must_use]
    pub fn log(&self) -> String {
        self.directory.read_log()
    }
}

/// The platform's files; they go with it, and a failing test shows the log.
#[derive(Debug)]
struct Directory(TempDir);

impl Directory {
    fn data(&self) -> PathBuf {
        self.0.path().join("data")
    }

    fn log(&self) -> PathBuf {
        self.0.path().join("log")
    }

    fn read_log(&self) -> String {
        fs::read_to_string(self.log()).unwrap_or_default()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("log of the platform:\n{}", self.read_log());
        }
    }
}

fn command(data_dir: &Path) -> Command {
    let mut command = Command::new(binary());
    command.kill_on_drop(true);
    // The developer's own settings must not reach a test.
    for (name, _) in
        env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("GUILDHALL_"))
    {
        command.env_remove(name);
    }
    command.arg("--data-dir").arg(data_dir);
    command
}

/// The binary beside the tests: `target/<profile>/guildhall`.
fn binary() -> PathBuf {
    let named = env::var_os("GUILDHALL_BIN").map(|path: OsString| PathBuf::from(path));
    let beside = || -> io::Result<PathBuf> {
        let test = env::current_exe()?;
        let profile = test.ancestors().find(|path| path.join("deps").is_dir());
        Ok(profile.unwrap_or(&test).join("guildhall"))
    };
    let binary = named.unwrap_or_else(|| beside().expect("the path of this test"));
    assert!(
        binary.is_file(),
        "{} is not there: run `make test`, or `cargo build` first",
        binary.display()
    );
    binary
}

/// What the process says on standard output until it is ready.
struct Ready {
    greeting: Vec<String>,
    http: String,
    grpc: String,
}

/// Reads on until the line `ready http=… grpc=…`, and keeps the pipe drained afterwards.
async fn wait_until_ready(stdout: tokio::process::ChildStdout) -> Option<Ready> {
    let mut lines = BufReader::new(stdout).lines();
    let mut greeting = Vec::new();
    while let Ok(Some(line)) = lines.next_line().await {
        if let Some(rest) = line.strip_prefix("ready http=") {
            let (http, grpc) = rest.split_once(" grpc=")?;
            let (http, grpc) = (http.to_owned(), grpc.to_owned());
            tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
            return Some(Ready {
                greeting,
                http,
                grpc,
            });
        }
        greeting.push(line);
    }
    None
}
