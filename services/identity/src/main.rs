//! The identity service as a process of its own.

use std::{net::SocketAddr, process::ExitCode};

use clap::Parser;
use guildhall_identity::Identity;
use guildhall_runtime::Result;
use guildhall_server::{DatabaseSettings, Door, Part, Process, ProcessSettings, finish};

/// Guildhall's identity service: communities, users, credentials and logins, behind gRPC.
#[derive(Debug, Parser)]
#[command(version)]
struct Settings {
    /// Where gRPC is served; port 0 takes a free one.
    #[arg(
        long,
        env = "GUILDHALL_GRPC",
        default_value = "127.0.0.1:50052",
        value_name = "ADDRESS"
    )]
    grpc: SocketAddr,
    #[command(flatten)]
    database: DatabaseSettings,
    #[command(flatten)]
    process: ProcessSettings,
}

#[tokio::main]
async fn main() -> ExitCode {
    let settings = Settings::parse();
    finish(&settings.process.log, run(&settings)).await
}

async fn run(settings: &Settings) -> Result<()> {
    let part = Part {
        service: "identity",
        hears: &["identity"],
    };
    let process = Process::start(part, Door::Grpc(settings.grpc), &settings.process).await?;
    let (signals, shutdown) = (process.signals.clone(), &process.shutdown);
    let storage = settings.database.storage()?;
    let identity = Identity::open(&storage, &process.secret, signals, shutdown);
    let identity = process.open(identity).await?;
    process.publish(identity.outbox());
    let guard = process.guard(identity.credential_source());
    process
        .serve_grpc(guard, Identity::SERVICES, |routes| {
            identity.add_services(routes);
        })
        .await
}
