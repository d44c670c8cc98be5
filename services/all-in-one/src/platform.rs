//! All services and the gateway in one process: the same layers as between processes, no socket.

use std::{fs, os::unix::fs::DirBuilderExt, path::Path};

use guildhall_auth::{AccessLayer, Guard, PeerTokens, RateLimit, RpcTable};
use guildhall_data::{Storage, seal::load_or_create_secret};
use guildhall_events::Signals;
use guildhall_gateway::{Settings as GatewaySettings, Upstream};
use guildhall_identity::Identity;
use guildhall_messaging::Messaging;
use guildhall_runtime::{
    Error, Peer, Result, Shutdown,
    deadline::DeadlineLayer,
    grpc,
    serve::{self, Serving},
    trace::TraceLayer,
};
use http::Request;
use hyper::body::Incoming;
use tonic::{body::Body, service::Routes};
use tower::{ServiceBuilder, ServiceExt};

use crate::{demo, settings::Settings};

/// Wiped from memory when it is dropped.
type Secret = zeroize::Zeroizing<Vec<u8>>;

/// Opens identity alone, all that an operator's command needs, and the platform's secret.
pub async fn open_identity(
    data_dir: &Path,
    signals: Signals,
    shutdown: &Shutdown,
) -> Result<(Identity, Secret)> {
    let mut directory = fs::DirBuilder::new();
    directory
        .recursive(true)
        .mode(0o700)
        .create(data_dir)
        .map_err(|error| {
            Error::bug(format!(
                "cannot make the data directory {}: {error}",
                data_dir.display()
            ))
        })?;
    let secret = load_or_create_secret(&data_dir.join("secret.key"))?;
    let identity = Identity::open(&Storage::files(data_dir), &secret, signals, shutdown).await?;
    Ok((identity, secret))
}

/// Starts everything and serves until the signal to stop.
pub async fn run(settings: &Settings) -> Result<()> {
    let shutdown = Shutdown::on_signal().map_err(Error::internal)?;
    let signals = Signals::default();
    let (identity, secret) = open_identity(&settings.data_dir, signals.clone(), &shutdown).await?;
    let http = serve::bind(settings.http).await.map_err(cannot_start)?;
    let grpc = serve::bind(settings.grpc).await.map_err(cannot_start)?;
    let _alone = hold(&settings.data_dir)?;
    let tokens = PeerTokens::new(&secret);
    let rate = RateLimit::per_second(settings.rate_limit);
    let guard = Guard::new(identity.credential_source(), rate, &signals);
    let access = AccessLayer::new(guard.clone(), RpcTable::load()?, tokens.clone());

    let mut alone = Routes::builder();
    identity.add_services(&mut alone);
    let identity_peer = tokens.vouch(Peer::in_process(stack(alone.routes(), access.clone())));
    let messaging = Messaging::open(
        &Storage::files(&settings.data_dir),
        identity_peer,
        signals,
        &shutdown,
    )
    .await?;

    let mut routes = Routes::builder();
    identity.add_services(&mut routes);
    messaging.add_services(&mut routes);
    let services = [Identity::SERVICES, Messaging::SERVICES].concat();
    let routes = grpc::with_standard_services(routes, &services, &shutdown)
        .await
        .map_err(Error::internal)?;
    let everything = stack(routes, access);
    let peer = tokens.vouch(Peer::in_process(everything.clone()));

    let addresses = Addresses {
        http: format!("http://{}", http.local_addr().map_err(Error::internal)?),
        grpc: format!("http://{}", grpc.local_addr().map_err(Error::internal)?),
    };
    if settings.demo {
        demo::prepare(&identity, &peer, &settings.data_dir, &addresses).await?;
    }
    let upstream = Upstream {
        identity: peer.clone(),
        messaging: peer,
    };
    let gateway_settings = GatewaySettings {
        trusted_proxies: settings.trusted_proxies.clone(),
    };
    let gateway = guildhall_gateway::service(upstream, guard, gateway_settings, shutdown.clone());
    let rpc = everything.map_request(|request: Request<Incoming>| request.map(Body::new));

    let serving = [
        tokio::spawn(serve::http(
            http,
            gateway,
            Serving::default(),
            shutdown.clone(),
        )),
        tokio::spawn(serve::http(grpc, rpc, Serving::default(), shutdown)),
    ];
    println!("ready http={} grpc={}", addresses.http, addresses.grpc);
    for server in serving {
        server.await.map_err(Error::internal)?;
    }
    Ok(())
}

/// Keeps a second server off the data: its streams and caches would not hear of this one's writes.
fn hold(data_dir: &Path) -> Result<fs::File> {
    let path = data_dir.join("server.lock");
    let lock = fs::File::create(&path)
        .map_err(|error| Error::bug(format!("cannot write {}: {error}", path.display())))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(_) => Err(Error::bug(format!(
            "another guildhall serves the data in {}: stop it, or choose another --data-dir",
            data_dir.display()
        ))),
    }
}

/// Where the platform is reached.
pub struct Addresses {
    /// Base of the REST contract.
    pub http: String,
    /// The gRPC services.
    pub grpc: String,
}

/// What stands in front of every RPC, from outside in.
fn stack(
    routes: Routes,
    access: AccessLayer,
) -> impl tower::Service<
    Request<Body>,
    Response = http::Response<Body>,
    Error = std::convert::Infallible,
    Future: Send + 'static,
> + Clone
+ Send
+ Sync
+ 'static {
    ServiceBuilder::new()
        .layer(TraceLayer)
        .layer(DeadlineLayer)
        .layer(access)
        .service(routes.prepare())
}

fn cannot_start(error: std::io::Error) -> Error {
    Error::bug(format!(
        "{error}: is another one running? --http and --grpc choose other addresses"
    ))
}
