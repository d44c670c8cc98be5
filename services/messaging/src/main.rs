//! The messaging service as a process of its own.

use std::{net::SocketAddr, process::ExitCode, sync::Arc};

use clap::Parser;
use guildhall_auth::source::RemoteSource;
use guildhall_messaging::Messaging;
use guildhall_runtime::{Result, peer::Address};
use guildhall_server::{DatabaseSettings, Door, Part, Process, ProcessSettings, finish};

/// Guildhall's messaging service: channels, messages, replies and reactions, behind gRPC.
#[derive(Debug, Parser)]
#[command(version)]
struct Settings {
    /// Where gRPC is served; port 0 takes a free one.
    #[arg(
        long,
        env = "GUILDHALL_GRPC",
        default_value = "127.0.0.1:50051",
        value_name = "ADDRESS"
    )]
    grpc: SocketAddr,

    /// The replicas of identity, separated by commas; a name may stand for several.
    #[arg(
        long,
        env = "GUILDHALL_IDENTITY_URL",
        value_delimiter = ',',
        required = true,
        value_name = "URL"
    )]
    identity_url: Vec<Address>,
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
        service: "messaging",
        hears: &["identity", "messaging"],
    };
    let process = Process::start(part, Door::Grpc(settings.grpc), &settings.process).await?;
    let (signals, shutdown) = (process.signals.clone(), &process.shutdown);
    let storage = settings.database.storage()?;
    let identity = process.peer(&settings.identity_url)?;
    let source = RemoteSource::new(identity.clone());
    process.open(source.introduce()).await?;
    let messaging = Messaging::open(&storage, identity, signals, shutdown);
    let messaging = process.open(messaging).await?;
    process.publish(messaging.outbox());
    let guard = process.guard(Arc::new(source));
    process
        .serve_grpc(guard, Messaging::SERVICES, |routes| {
            messaging.add_services(routes);
        })
        .await
}
