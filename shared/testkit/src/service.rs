//! A binary of ours as a process.

use std::{
    env,
    ffi::OsString,
    fmt, fs,
    path::{Path, PathBuf},
    process::{ExitStatus, Output, Stdio},
};

use tokio::process::Command;

use crate::{
    process::{self, Process, Run},
    secret,
};

/// A binary of ours that can be started again and again with the same arguments and one log.
///
/// It ends when it is dropped, and with its owner.
pub struct Service {
    name: String,
    binary: String,
    args: Vec<OsString>,
    variables: Vec<(&'static str, String)>,
    log: PathBuf,
    process: Option<Process>,
}

impl Service {
    /// `binary` with `args`, called `name` in messages; `log` is appended to.
    pub(crate) fn new(
        name: &str,
        binary: &str,
        args: impl IntoIterator<Item: Into<OsString>>,
        log: PathBuf,
    ) -> Self {
        Self {
            name: name.to_owned(),
            binary: binary.to_owned(),
            args: args.into_iter().map(Into::into).collect(),
            variables: Vec::new(),
            log,
            process: None,
        }
    }

    /// The same one with variables of its environment.
    pub(crate) fn with(mut self, variables: Vec<(&'static str, String)>) -> Self {
        self.variables = variables;
        self
    }

    /// Starts it and waits until it is ready.
    pub async fn start(&mut self) {
        let started = self.try_start().await;
        started.unwrap_or_else(|failure| panic!("{failure}"));
    }

    /// As [`start`](Self::start), for one that may refuse to.
    ///
    /// # Errors
    /// The end of its log, when it ends before it is ready, or is not ready within a minute.
    pub async fn try_start(&mut self) -> Result<(), String> {
        assert!(self.process.is_none(), "{} runs already", self.name);
        let mut command = command(&self.binary);
        command.args(&self.args).envs(self.variables.clone());
        let run = Run {
            name: self.name.clone(),
            command,
            speaks_on: process::Output::Stdout,
            ready: "ready ",
            log: self.log.clone(),
            end: "KILL",
        };
        self.process = Some(Process::start(run).await?);
        Ok(())
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

    /// Asks it to stop (SIGTERM), and does not wait.
    pub async fn terminate(&self) {
        self.running().signal("TERM").await;
    }

    /// Waits until it has ended by itself.
    pub async fn wait(&mut self) -> ExitStatus {
        let status = self.process.as_mut().expect("it runs").ended().await;
        self.process = None;
        status
    }

    /// Waits until it ends by itself; how it ended and the end of its log.
    pub async fn ended(&mut self) -> String {
        let status = self.wait().await;
        format!("{} ended ({status}):\n{}", self.name, self.log_tail())
    }

    /// Asks it to stop (SIGTERM), and waits until it has ended in good order.
    pub async fn stop(&mut self) {
        self.terminate().await;
        let status = self.wait().await;
        assert!(status.success(), "{}: {status}", self.name);
    }

    /// What it is called in messages.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it has been started, and has not ended with our knowledge.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.process.is_some()
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.running().pid()
    }

    /// The file of its log.
    pub(crate) fn log_file(&self) -> &Path {
        &self.log
    }

    /// What it has logged, in all its lives.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// The end of its log.
    #[must_use]
    pub fn log_tail(&self) -> String {
        process::tail(&self.log)
    }

    /// What it said on standard output before its line `ready`.
    pub(crate) fn greeting(&self) -> &[String] {
        let greeting = self.running().greeting();
        &greeting[..greeting.len() - 1]
    }

    /// The address that its line `ready` gives for `protocol`.
    ///
    /// # Panics
    /// When it gives none.
    #[must_use]
    pub fn address(&self, protocol: &str) -> String {
        let line = self.running().greeting().last().expect("a line");
        let mut words = line.split_whitespace();
        let address = words.find_map(|word| word.strip_prefix(protocol)?.strip_prefix('='));
        address
            .unwrap_or_else(|| panic!("no {protocol} in {line:?}"))
            .to_owned()
    }

    fn running(&self) -> &Process {
        self.process.as_ref().expect("it runs")
    }
}

impl fmt::Debug for Service {
    /// Without its variables, which may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut service = f.debug_struct("Service");
        service.field("name", &self.name).field("args", &self.args);
        service
            .field("process", &self.process)
            .finish_non_exhaustive()
    }
}

/// Runs a binary of ours until it ends by itself, which it must within a minute.
///
/// Its answer may hold secrets, but not what it says besides.
pub async fn output(mut command: Command) -> Output {
    let name = "a command";
    secret::assert_none_given(name, &command);
    let output = command.kill_on_drop(true).output();
    let output = tokio::time::timeout(process::START, output).await;
    let output = output.expect("it ends by itself").expect("the binary runs");
    secret::learn_printed(&output.stdout);
    secret::assert_none_in(name, output.stderr.as_slice());
    output
}

/// A binary of ours with `args`, to be run by hand: it ends when it is dropped, and what it says is
/// kept.
#[must_use]
pub fn process_of(binary: &str, args: &[&str]) -> Command {
    let mut process = command(binary);
    process.args(args).kill_on_drop(true);
    process.stdout(Stdio::piped()).stderr(Stdio::piped());
    process
}

/// What a binary of ours, or one of its commands, says to `--help`.
pub async fn help(binary: &str, of: &[&str]) -> String {
    let mut asked = command(binary);
    asked.args(of).arg("--help");
    String::from_utf8(output(asked).await.stdout).expect("text")
}

/// A binary of ours without the developer's own settings, which must not reach a test.
pub(crate) fn command(binary: &str) -> Command {
    let mut command = Command::new(path_of(binary));
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("GUILDHALL_") || text.starts_with("OTEL_") {
            command.env_remove(name);
        }
    }
    command
}

/// The binary beside the tests, `target/<profile>/<binary>`, or beside the one of `GUILDHALL_BIN`.
fn path_of(binary: &str) -> PathBuf {
    let folder = match env::var_os("GUILDHALL_BIN").map(PathBuf::from) {
        Some(named) => named.parent().map(Path::to_owned),
        None => beside_the_tests(),
    };
    let path = folder.expect("a folder of binaries").join(binary);
    assert!(
        path.is_file(),
        "{} is not there: run `make test`, or `cargo build --workspace --bins` first",
        path.display()
    );
    path
}

fn beside_the_tests() -> Option<PathBuf> {
    let test = env::current_exe().ok()?;
    let profile = test.ancestors().find(|path| path.join("deps").is_dir());
    profile.map(Path::to_owned)
}
