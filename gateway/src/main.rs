//! The gateway as a process of its own.

use std::{net::SocketAddr, process::ExitCode, sync::Arc};

use clap::Parser;
use guildhall_auth::source::RemoteSource;
use guildhall_catalog::{GATEWAY, IDENTITY, Service};
use guildhall_gateway::Settings as GatewaySettings;
use guildhall_runtime::Result;
use guildhall_server::{Calls, Endpoint, PeerUrls, Process, ProcessSettings, finish};

/// The system's allocator took a fifth of the time of a request.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Guildhall's gateway: the public REST contract in front of the services.
#[derive(Debug, Parser)]
#[command(version)]
struct Settings {
    /// Where REST is served; port 0 takes a free one.
    #[arg(
        long,
        env = "GUILDHALL_HTTP",
        default_value = "127.0.0.1:8080",
        value_name = "ADDRESS"
    )]
    http: SocketAddr,

    #[command(flatten)]
    services: PeerUrls<Gateway>,

    #[command(flatten)]
    gateway: GatewaySettings,

    #[command(flatten)]
    process: ProcessSettings,
}

/// It calls every service.
struct Gateway;

impl Calls for Gateway {
    const SERVICES: &'static [&'static Service] = GATEWAY.peers;
}

#[tokio::main]
async fn main() -> ExitCode {
    let settings = Settings::parse();
    finish(
        &settings.process.log,
        &settings.process.serve,
        run(&settings),
    )
    .await
}

async fn run(settings: &Settings) -> Result<()> {
    // Before others see the process.
    settings.gateway.public_url(settings.http)?;
    let endpoint = Endpoint::Http(settings.http);
    let process = Process::start(GATEWAY, endpoint, &settings.process).await?;
    let services = process.connect(&settings.services)?;
    let source = RemoteSource::new(services.get(IDENTITY)?);
    process.open(source.introduce()).await?;
    let guard = process.guard(Arc::new(source));
    let (gateway, shutdown) = (settings.gateway.clone(), process.shutdown.clone());
    let http = process.address()?;
    let gateway = guildhall_gateway::service(&services, guard, gateway, http, shutdown)?;
    process.serve(gateway).await
}
