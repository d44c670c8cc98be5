//! The gateway as a process of its own.

use std::{net::SocketAddr, process::ExitCode, sync::Arc};

use clap::Parser;
use guildhall_auth::source::RemoteSource;
use guildhall_gateway::{Cidr, PublicUrl, Settings as GatewaySettings, Upstream};
use guildhall_runtime::{Result, peer::Address};
use guildhall_server::{Door, Part, Process, ProcessSettings, finish};

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

    /// The replicas of webhooks, as above.
    #[arg(
        long,
        env = "GUILDHALL_WEBHOOKS_URL",
        value_delimiter = ',',
        required = true,
        value_name = "URL"
    )]
    webhooks_url: Vec<Address>,

    /// Where clients reach the gateway, e.g. https://api.example.com; the addresses of incoming
    /// webhooks begin with it. Without it they begin with http:// and the host that was asked.
    #[arg(long, env = "GUILDHALL_PUBLIC_URL", value_name = "URL")]
    public_url: Option<PublicUrl>,

    /// Networks (CIDR, separated by commas) of proxies whose X-Forwarded-For is believed.
    #[arg(
        long,
        env = "GUILDHALL_TRUSTED_PROXIES",
        value_delimiter = ',',
        value_name = "CIDR"
    )]
    trusted_proxies: Vec<Cidr>,
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
        service: "gateway",
        hears: &["identity"],
    };
    let process = Process::start(part, Door::Http(settings.http), &settings.process).await?;
    let upstream = Upstream {
        identity: process.peer(&settings.identity_url)?,
        messaging: process.peer(&settings.messaging_url)?,
        webhooks: process.peer(&settings.webhooks_url)?,
    };
    let source = RemoteSource::new(upstream.identity.clone());
    process.open(source.introduce()).await?;
    let guard = process.guard(Arc::new(source));
    let gateway_settings = GatewaySettings {
        trusted_proxies: settings.trusted_proxies.clone(),
        public_url: settings.public_url.clone(),
    };
    let shutdown = process.shutdown.clone();
    let gateway = guildhall_gateway::service(upstream, guard, gateway_settings, shutdown);
    process.serve(gateway).await
}
