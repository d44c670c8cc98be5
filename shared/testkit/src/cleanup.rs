//! What is done when this process has ended, however it ended.

use std::{ffi::OsStr, process::Stdio};

use tokio::{
    io::AsyncWriteExt,
    process::{Child, Command},
};

/// A line of shell that runs when this value is dropped or its process is gone, also by SIGKILL.
///
/// A shell waits at a pipe that only this process holds: the pipe's end is the signal. So nothing
/// that a test has started can outlive it.
#[derive(Debug)]
pub(crate) struct Cleanup(Child);

impl Cleanup {
    /// Will run `script` with `args` as `$1`, `$2`, …
    pub(crate) fn new(script: &str, args: &[&OsStr]) -> Self {
        let script = format!("trap '' HUP INT TERM; read -r revoked && exit; {script}");
        let mut shell = Command::new("sh");
        shell
            .arg("-c")
            .arg(script)
            .arg("guildhall-cleanup")
            .args(args)
            .current_dir("/")
            // Neither Ctrl-C nor a test runner that ends its group may end this one.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        Self(shell.spawn().expect("a shell"))
    }

    /// Nothing will be done.
    pub(crate) async fn revoke(&mut self) {
        if let Some(stdin) = &mut self.0.stdin {
            // A shell that is gone needs no revoking.
            let _ = stdin.write_all(b"revoked\n").await;
        }
        let _ = self.0.wait().await;
    }
}
