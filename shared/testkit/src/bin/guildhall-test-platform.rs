//! Runs a command, e.g. all tests, beside one platform that the tests share.

use std::{io, path::Path, process::ExitCode};

use clap::Parser;
use guildhall_testkit::{
    Options, Stack,
    shared::{self, VARIABLE},
};
use tokio::process::Command;

/// Starts a platform, runs COMMAND with GUILDHALL_TEST_PLATFORM set, and stops the platform.
///
/// The platform has the shape that GUILDHALL_TEST_SHAPE says: embedded (the default) or cluster.
/// When it has ended, its logs are searched for the secrets of all tests. Exits as COMMAND does,
/// and not with success when a secret is there.
#[derive(Debug, Parser)]
struct Settings {
    /// What to run, with its arguments.
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<String>,
}

#[tokio::main]
async fn main() -> io::Result<ExitCode> {
    let settings = Settings::parse();
    let stack = Stack::start_with(Options::for_guests()).await;
    let folder = tempfile::tempdir()?;
    let description = shared::describe(&stack, folder.path());
    let succeeded = run(&settings.command, &description).await?;
    shared::learn_secrets(folder.path());
    stack.stop().await;
    Ok(match succeeded {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

/// Runs the command; whether it succeeded.
async fn run(command: &[String], description: &Path) -> io::Result<bool> {
    let mut words = command.iter();
    let mut command = Command::new(words.next().map_or("", String::as_str));
    command.args(words).env(VARIABLE, description);
    let mut child = command.spawn()?;
    loop {
        tokio::select! {
            status = child.wait() => return Ok(status?.success()),
            // The command hears it, too, and ends; only then may the platform go.
            _ = tokio::signal::ctrl_c() => {}
        }
    }
}
