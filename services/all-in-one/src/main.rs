//! `guildhall`: the whole platform in one process, and what its operator does with it.

mod commands;
mod data;
mod demo;
mod opened;
mod output;
mod platform;
mod services;
mod settings;

use std::process::ExitCode;

use clap::Parser;
use guildhall_runtime::Result;
use guildhall_server::finish;
use settings::{Command, Settings};

/// The system's allocator took a fifth of the time of a request.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    let settings = Settings::parse();
    finish(&settings.log, &settings.serve, run(&settings)).await
}

async fn run(settings: &Settings) -> Result<()> {
    match &settings.command {
        None => platform::run(settings).await,
        Some(Command::Bootstrap(new)) => commands::bootstrap(settings, new).await,
        Some(Command::Keys(command)) => commands::keys(settings, command).await,
        Some(Command::Sessions(command)) => commands::sessions(settings, command).await,
        Some(Command::SendbirdToken(command)) => commands::sendbird_token(settings, command).await,
        Some(Command::Events(command)) => commands::events(settings, command).await,
        Some(Command::Workflow(command)) => commands::workflow(settings, command).await,
        Some(Command::Demo(demo)) => commands::demo(settings, demo).await,
        Some(Command::Openapi) => commands::openapi(),
    }
}
