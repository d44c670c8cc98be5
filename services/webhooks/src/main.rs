//! The webhooks service as a process of its own.

use std::{net::SocketAddr, path::PathBuf, process::ExitCode, sync::Arc};

use clap::Parser;
use guildhall_auth::source::RemoteSource;
use guildhall_runtime::{Result, peer::Address};
use guildhall_server::{DatabaseSettings, Door, Part, Process, ProcessSettings, finish};
use guildhall_webhooks::{Peers, Settings as WebhookSettings, Webhooks};

/// Guildhall's webhooks service: deliveries out, calls and workflow events in, behind gRPC.
#[derive(Debug, Parser)]
#[command(version)]
struct Settings {
    /// Where gRPC is served; port 0 takes a free one.
    #[arg(
        long,
        env = "GUILDHALL_GRPC",
        default_value = "127.0.0.1:50053",
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

    /// The replicas of messaging, as above.
    #[arg(
        long,
        env = "GUILDHALL_MESSAGING_URL",
        value_delimiter = ',',
        required = true,
        value_name = "URL"
    )]
    messaging_url: Vec<Address>,
    /// Where letters are written without --smtp-url.
    #[arg(
        long,
        env = "GUILDHALL_MAIL_DIR",
        default_value = ".guildhall/mail",
        value_name = "DIRECTORY"
    )]
    mail_dir: PathBuf,
    #[command(flatten)]
    webhooks: WebhookSettings,
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
        service: "webhooks",
        hears: &["identity"],
    };
    let process = Process::start(part, Door::Grpc(settings.grpc), &settings.process).await?;
    let (signals, shutdown) = (process.signals.clone(), &process.shutdown);
    let storage = settings.database.storage()?;
    let peers = Peers {
        identity: process.peer(&settings.identity_url)?,
        messaging: process.peer(&settings.messaging_url)?,
        mail: settings.webhooks.mail.transport(&settings.mail_dir)?,
    };
    let source = RemoteSource::new(peers.identity.clone());
    process.open(source.introduce()).await?;
    let (secret, own) = (&process.secret, settings.webhooks.clone());
    let webhooks = Webhooks::open(&storage, secret, peers, own, signals, shutdown);
    let webhooks = process.open(webhooks).await?;
    process.publish(webhooks.outbox());
    webhooks.hear_streams(process.streams());
    let guard = process.guard(Arc::new(source));
    process
        .serve_grpc(guard, Webhooks::SERVICES, |routes| {
            webhooks.add_services(routes);
        })
        .await?;
    webhooks.finished().await;
    Ok(())
}
