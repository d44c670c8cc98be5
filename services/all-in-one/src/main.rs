//! `guildhall`: the whole platform in one process, and what its operator does with it.

mod commands;
mod demo;
mod platform;
mod settings;

use std::process::ExitCode;

use clap::Parser;
use settings::{Command, Settings};

#[tokio::main]
async fn main() -> ExitCode {
    let settings = Settings::parse();
    if let Err(error) = guildhall_runtime::telemetry::start(&settings.log) {
        eprintln!("guildhall: --log {:?}: {error}", settings.log);
        return ExitCode::FAILURE;
    }
    let done = match &settings.command {
        None => platform::run(&settings).await,
        Some(Command::Bootstrap(new)) => commands::bootstrap(&settings, new).await,
        Some(Command::Keys(command)) => commands::keys(&settings, command).await,
        Some(Command::SendbirdToken(command)) => commands::sendbird_token(&settings, command).await,
        Some(Command::Openapi) => commands::openapi(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("guildhall: {}", error.with_causes());
            ExitCode::FAILURE
        }
    }
}
