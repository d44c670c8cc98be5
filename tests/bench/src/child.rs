//! Parts of the bench that are processes of their own: this binary again, with a sub-command.

use std::{collections::HashMap, env, process::Stdio, sync::Arc};

use parking_lot::Mutex;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader, Lines},
    process::{Child as Process, ChildStdout, Command},
    time::{Duration, timeout},
};

use crate::{Failure, Result};

/// How long one may take to be ready.
const START: Duration = Duration::from_secs(30);

/// The word before what a process is ready with.
const READY: &str = "ready";

/// A process of this binary. It ends when this is dropped, and with its owner.
#[derive(Debug)]
pub struct Child {
    process: Process,
    ready: HashMap<String, String>,
    said: Arc<Mutex<Vec<String>>>,
}

impl Child {
    /// Starts one and waits until it is ready.
    ///
    /// # Errors
    /// When it ends before.
    pub async fn start(args: &[&str]) -> Result<Self> {
        Self::start_with(args, &[]).await
    }

    /// The same with variables, for what no process list shall show.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub async fn start_with(args: &[&str], variables: &[(&str, &str)]) -> Result<Self> {
        let mut command = Command::new(env::current_exe()?);
        command.args(args).kill_on_drop(true).process_group(0);
        command.envs(variables.iter().copied());
        // The end of its standard input tells it that its owner is gone.
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn()?;
        let stdout = process.stdout.take().ok_or("no standard output")?;
        let mut lines = BufReader::new(stdout).lines();
        let first = timeout(START, lines.next_line()).await??;
        let first = first.ok_or_else(|| Failure::from(format!("{args:?} did not start")))?;
        let said = Arc::default();
        tokio::spawn(listen(lines, Arc::clone(&said)));
        Ok(Self {
            process,
            ready: parse(&first),
            said,
        })
    }

    /// What it is ready with under this name, e.g. an address.
    ///
    /// # Errors
    /// When it named none.
    pub fn at(&self, name: &str) -> Result<&str> {
        let at = self.ready.get(name).map(String::as_str);
        at.ok_or_else(|| format!("no {name} in {:?}", self.ready).into())
    }

    /// Whether it has said this line since it was ready.
    #[must_use]
    pub fn has_said(&self, line: &str) -> bool {
        self.said.lock().iter().any(|said| said == line)
    }

    /// Its process id.
    ///
    /// # Errors
    /// When it has ended.
    pub fn pid(&self) -> Result<u32> {
        self.process
            .id()
            .ok_or_else(|| "a part of the bench has ended".into())
    }
}

async fn listen(mut lines: Lines<BufReader<ChildStdout>>, said: Arc<Mutex<Vec<String>>>) {
    while let Ok(Some(line)) = lines.next_line().await {
        said.lock().push(line);
    }
}

fn parse(line: &str) -> HashMap<String, String> {
    let words = line
        .split_whitespace()
        .filter_map(|word| word.split_once('='));
    words
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// Says, in the process itself, what it is ready with.
pub fn ready(with: &[(&str, String)]) {
    let with: Vec<_> = with
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    println!("{READY} {}", with.join(" "));
}

/// Serves, in the process itself, until its owner is gone.
///
/// # Errors
/// As `serving`.
pub async fn until_told<E>(serving: impl Future<Output = Result<(), E>>) -> Result<(), E> {
    tokio::select! {
        served = serving => served,
        _ = owner_is_gone() => Ok(()),
    }
}

async fn owner_is_gone() -> std::io::Result<usize> {
    let mut nothing = Vec::new();
    tokio::io::stdin().read_to_end(&mut nothing).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_process_is_ready_with_is_read() {
        let ready = parse("ready grpc=http://127.0.0.1:1 http=http://127.0.0.1:2");
        assert_eq!(ready["grpc"], "http://127.0.0.1:1");
        assert_eq!(ready.len(), 2);
    }
}
