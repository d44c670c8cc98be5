//! A program that a fixture runs.

use std::{
    fmt::Write as _,
    fs::{self, File},
    io::{Read as _, Write as _},
    mem,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt, AsyncRead, BufReader},
    process::{Child, Command},
    sync::oneshot,
    task::JoinHandle,
};

use crate::{cleanup::Cleanup, secret};

/// How long a start may take; a debug build on a busy machine is slow.
pub(crate) const START: Duration = Duration::from_secs(60);

/// How much of a log a failure shows.
const TAIL: usize = 200;

/// How a program is run.
#[derive(Debug)]
pub(crate) struct Run {
    /// What messages call it.
    pub name: String,
    /// The program and its arguments.
    pub command: Command,
    /// Where it says that it is ready.
    pub speaks_on: Output,
    /// What the line holds by which it says so.
    pub ready: &'static str,
    /// The file that its log is appended to.
    pub log: PathBuf,
    /// The signal that ends it, and what it has started, at once.
    pub end: &'static str,
}

/// One of a program's outputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Output {
    /// Lines for people; they are not part of its log.
    Stdout,
    /// Its log.
    Stderr,
}

/// A running program; it ends when it is dropped or its owner is gone, also by SIGKILL.
///
/// When it ends, what it has said and logged is searched for the test's secrets.
#[derive(Debug)]
pub(crate) struct Process {
    name: String,
    child: Child,
    end: Cleanup,
    /// Ends when nobody can write to the program's output any more.
    output: JoinHandle<()>,
    greeting: Vec<String>,
    log: PathBuf,
    searched: bool,
}

impl Process {
    /// Starts it and waits until it says that it is ready.
    ///
    /// # Errors
    /// What it has logged, when it ends before or says nothing for a minute.
    pub(crate) async fn start(mut run: Run) -> Result<Self, String> {
        secret::assert_none_given(&run.name, &run.command);
        let log = append(&run.log);
        run.command
            // Ctrl-C is ours to answer, by ending what we run in good order.
            .process_group(0)
            .stdin(Stdio::null());
        match run.speaks_on {
            Output::Stdout => run.command.stdout(Stdio::piped()).stderr(log),
            Output::Stderr => run.command.stdout(log).stderr(Stdio::piped()),
        };
        let child = run.command.spawn();
        let mut child = child.map_err(|error| format!("{} does not start: {error}", run.name))?;
        let pid = child.id().expect("a running process").to_string();
        let end = format!("kill -{} \"$1\"", run.end);
        let end = Cleanup::new(&end, &[pid.as_ref()]);
        let (said, greeting) = oneshot::channel();
        let log = append(&run.log);
        let output = match run.speaks_on {
            Output::Stdout => {
                let stdout = child.stdout.take().expect("a pipe");
                tokio::spawn(listen(stdout, run.speaks_on, run.ready, said, log))
            }
            Output::Stderr => {
                let stderr = child.stderr.take().expect("a pipe");
                tokio::spawn(listen(stderr, run.speaks_on, run.ready, said, log))
            }
        };
        let greeting = tokio::time::timeout(START, greeting).await;
        let mut process = Self {
            name: run.name,
            child,
            end,
            output,
            greeting: Vec::new(),
            log: run.log,
            searched: false,
        };
        if let Ok(Ok(greeting)) = greeting {
            process.greeting = greeting;
            return Ok(process);
        }
        Err(process.did_not_start().await)
    }

    async fn did_not_start(mut self) -> String {
        let _ = self.child.start_kill();
        let status = self.ended().await;
        let (name, tail) = (&self.name, tail(&self.log));
        format!("{name} did not get ready ({status}); its log ends with:\n{tail}")
    }

    /// What it said before it was ready, the line that says so included.
    pub(crate) fn greeting(&self) -> &[String] {
        &self.greeting
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id().expect("a running process")
    }

    /// Sends a signal, e.g. `TERM`.
    pub(crate) async fn signal(&self, signal: &str) {
        send(signal, &[self.pid()]).await;
    }

    /// Lets it stand still (SIGSTOP), and waits until it does.
    pub(crate) async fn stand_still(&self) {
        self.signal("STOP").await;
        // The signal is sent, but a busy machine may take a while to deliver it. No `wait` of
        // ours tells of it.
        while !state(self.pid()).await.starts_with(['T', 'Z']) {
            tokio::task::yield_now().await;
        }
    }

    /// Kills it and what it has started (SIGKILL, all at once), and waits until nothing is left.
    pub(crate) async fn kill9(self) {
        // While it stands still, it starts nothing that would be missed.
        self.stand_still().await;
        let mut family = children(self.pid()).await;
        family.push(self.pid());
        send("KILL", &family).await;
        self.wait().await;
    }

    /// Waits until it has ended, and what it has started, too.
    pub(crate) async fn wait(mut self) -> ExitStatus {
        self.ended().await
    }

    /// As [`wait`](Self::wait); may be cancelled.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        let status = self.child.wait().await.expect("an exit status");
        if !self.output.is_finished() {
            let _ = (&mut self.output).await;
        }
        self.end.revoke().await;
        self.search();
        status
    }

    /// Fails the test when it has shown a secret.
    fn search(&mut self) {
        if mem::replace(&mut self.searched, true) {
            return;
        }
        let said = self.greeting.iter().map(|line| format!("{line}\n"));
        let said = said.collect::<String>();
        if let Ok(log) = File::open(&self.log) {
            let name = format!("the output of {}, with its log,", self.name);
            secret::assert_none_in(&name, said.as_bytes().chain(log));
        }
    }

    /// The end of its log.
    pub(crate) fn log_tail(&self) -> String {
        tail(&self.log)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("log of {}:\n{}", self.name, self.log_tail());
        }
        self.search();
    }
}

/// Keeps the pipe drained, says when the line of readiness has come, and writes the log.
async fn listen(
    pipe: impl AsyncRead + Unpin,
    of: Output,
    ready: &str,
    said: oneshot::Sender<Vec<String>>,
    mut log: File,
) {
    let mut said = Some(said);
    let mut greeting = Vec::new();
    let mut lines = BufReader::new(pipe).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        // What is said to people after the greeting is kept, too.
        if of == Output::Stderr || said.is_none() {
            let _ = writeln!(log, "{line}");
        }
        if said.is_none() {
            continue;
        }
        let is_ready = line.contains(ready);
        greeting.push(line);
        if is_ready && let Some(said) = said.take() {
            let _ = said.send(mem::take(&mut greeting));
        }
    }
}

fn append(log: &Path) -> File {
    let file = File::options().create(true).append(true).open(log);
    file.expect("a log file")
}

/// The last lines of a log.
pub(crate) fn tail(log: &Path) -> String {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<_> = text.lines().collect();
    let mut end = String::new();
    for line in &lines[lines.len().saturating_sub(TAIL)..] {
        let _ = writeln!(end, "{line}");
    }
    end
}

/// A letter for what a process does: `T` stands still, `Z` is dead.
async fn state(pid: u32) -> String {
    ps(&["-o", "state=", "-p", &pid.to_string()]).await
}

/// The processes that `parent` has started and that still run.
pub(crate) async fn children(parent: u32) -> Vec<u32> {
    let processes = ps(&["-A", "-o", "pid=,ppid="]).await;
    let child = |line: &str| {
        let (pid, of) = line.trim().split_once(char::is_whitespace)?;
        (of.trim() == parent.to_string()).then(|| pid.parse().expect("a process id"))
    };
    processes.lines().filter_map(child).collect()
}

async fn ps(args: &[&str]) -> String {
    let output = tool("ps").args(args).output().await;
    String::from_utf8_lossy(&output.expect("ps runs").stdout).into_owned()
}

async fn send(signal: &str, pids: &[u32]) {
    let mut kill = tool("kill");
    kill.arg(format!("-{signal}"));
    kill.args(pids.iter().map(ToString::to_string));
    // One that has just ended by itself is no failure.
    let sent = kill.stderr(Stdio::null()).status().await;
    sent.expect("kill runs");
}

/// A second Ctrl-C, which every process of our group gets, must not end it half-way.
fn tool(name: &str) -> Command {
    let mut tool = Command::new(name);
    tool.process_group(0);
    tool
}
