//! A process of its own for a part of a test: the test's executable, started once more.

use std::{env, io::Read, process::Stdio, time::Duration};

use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
    task::spawn_blocking,
    time::timeout,
};

/// How long a part may take to say something.
const TIMEOUT: Duration = Duration::from_secs(60);

/// A part at work. It ends when it is dropped, and with its owner.
pub struct Subprocess {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    /// Open for as long as it shall be there.
    _stdin: ChildStdin,
}

impl Subprocess {
    /// Starts the ignored test `part` of the module with this [`module_path!`], with what it has to
    /// know.
    pub fn start(module: &str, part: &str, variables: &[(&str, String)]) -> Self {
        let (_crate, module) = module.split_once("::").unwrap();
        let mut command = Command::new(env::current_exe().unwrap());
        command
            .args([
                &format!("{module}::{part}"),
                "--exact",
                "--ignored",
                "--nocapture",
            ])
            .envs(variables.iter().map(|(name, value)| (*name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self {
            _stdin: child.stdin.take().unwrap(),
            lines,
            child,
        }
    }

    /// Waits until it says this line.
    pub async fn says(&mut self, what: &str) {
        let heard = async {
            while let Some(line) = self.lines.next_line().await.unwrap() {
                if line == what {
                    return;
                }
            }
            panic!("it ended without a word");
        };
        let heard = timeout(TIMEOUT, heard).await;
        heard.unwrap_or_else(|_| panic!("it never said {what:?}"));
    }

    /// Kills it (SIGKILL).
    pub async fn kill9(mut self) {
        self.child.kill().await.unwrap();
    }
}

/// Waits, in a part, until whoever has started it is gone.
pub async fn until_parent_exits() {
    let stdin = spawn_blocking(|| std::io::stdin().read(&mut [0]));
    let _ = stdin.await.unwrap();
}
