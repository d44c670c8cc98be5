//! All services and the gateway in one process: the same layers as between processes, no socket.

use std::{convert::Infallible, net::SocketAddr, sync::Arc};

use guildhall_catalog::SERVICES;
use guildhall_identity::Identity;
use guildhall_runtime::{Error, Peer, Result, Shutdown, serve};
use guildhall_server::{
    Peers, Rpcs,
    metrics::port,
    process::{announce, leave, listen, open, url_of},
    stack,
};
use guildhall_service::{Context, Environment};
use http::{Request, Response};
use hyper::body::Incoming;
use rustls::ServerConfig;
use tokio::{net::TcpListener, task::JoinHandle};
use tonic::body::Body;
use tower::{Service, ServiceExt};

use crate::{
    data,
    demo::{self, Addresses},
    opened::Opened,
    services,
    settings::Settings,
};

/// Starts everything and serves until the signal to stop.
pub async fn run(settings: &Settings) -> Result<()> {
    // Before anything is made.
    settings.gateway.public_url(settings.http)?;
    let shutdown = Shutdown::on_signal().map_err(Error::internal)?;
    let (storage, secret) = data::storage_and_secret(settings)?;
    let listeners = Listeners::bind(settings).await?;
    // Last: a process that is on the bus and then fails to start would be missed by the others.
    let signals = data::signals(settings, &secret, &shutdown)?;
    let data_dir = settings.data_dir.clone();
    let environment = Environment::new(storage, secret, signals, shutdown, data_dir);

    let identity = open_identity(&environment).await?;
    let _lock = data::lock(settings)?;
    let mut opened = Opened::first(&identity, &environment, &settings.serve)?;
    services::open(&mut opened, &settings.services).await?;
    let streams = data::streams(settings, &environment.secret)?;
    opened.carry_events(streams.as_ref(), &settings.serve);

    let mut rpcs = Rpcs::default();
    opened.add_services(&mut rpcs);
    let routes = rpcs
        .with_health_and_reflection(&environment.shutdown)
        .await?;
    let rpcs = stack(routes, opened.access());
    let upstream = opened.peers(SERVICES, Peer::in_process(rpcs.clone()));
    if settings.demo {
        let (directory, addresses) = (&settings.data_dir, &listeners.addresses);
        demo::prepare(&identity, &upstream, directory, addresses).await?;
    }
    let http = listeners.http.local_addr().map_err(Error::internal)?;
    let gateway = gateway(&upstream, &opened, settings, http, &environment)?;
    listeners
        .serve(gateway, rpcs, settings, &environment)
        .await?;
    opened.finished().await;
    leave(&environment.signals).await;
    Ok(())
}

async fn open_identity(environment: &Environment) -> Result<Identity> {
    let context = Context {
        environment,
        peers: &Peers::default(),
        settings: &(),
    };
    let opening = <Identity as guildhall_service::Service>::open(context);
    open(&environment.shutdown, &environment.signals, opening).await
}

fn gateway(
    upstream: &Peers,
    opened: &Opened<'_>,
    settings: &Settings,
    http: SocketAddr,
    environment: &Environment,
) -> Result<guildhall_gateway::Gateway> {
    let (guard, shutdown) = (opened.guard.clone(), environment.shutdown.clone());
    let gateway = settings.gateway.clone();
    guildhall_gateway::service(upstream, guard, gateway, http, shutdown)
}

/// REST and gRPC share the connections that the process may have.
const LISTENERS: usize = 2;

/// Where the process is reached.
struct Listeners {
    http: TcpListener,
    grpc: TcpListener,
    grpc_tls: Option<Arc<ServerConfig>>,
    metrics: Option<String>,
    addresses: Addresses,
}

impl Listeners {
    async fn bind(settings: &Settings) -> Result<Self> {
        let http = listen(settings.http).await?;
        let grpc = listen(settings.grpc).await?;
        let metrics = port::serve(settings.serve.metrics, "guildhall").await?;
        let grpc_tls = settings.serve.server_tls()?;
        let addresses = Addresses {
            http: url_of(&http, false)?,
            grpc: url_of(&grpc, grpc_tls.is_some())?,
            identity_grpc: None,
        };
        Ok(Self {
            http,
            grpc,
            grpc_tls,
            metrics,
            addresses,
        })
    }

    /// Says that the process is ready, and serves until the signal to stop.
    async fn serve<R>(
        self,
        gateway: guildhall_gateway::Gateway,
        rpcs: R,
        settings: &Settings,
        environment: &Environment,
    ) -> Result<()>
    where
        R: Service<Request<Body>, Response = Response<Body>, Error = Infallible>
            + Clone
            + Send
            + Sync
            + 'static,
        R::Future: Send + 'static,
    {
        let rpcs = rpcs.map_request(|request: Request<Incoming>| request.map(Body::new));
        let http = settings.serve.serving("http", None, LISTENERS);
        let grpc = settings.serve.serving("grpc", self.grpc_tls, LISTENERS);
        let shutdown = &environment.shutdown;
        let serving: [JoinHandle<()>; LISTENERS] = [
            tokio::spawn(serve::http(self.http, gateway, http, shutdown.clone())),
            tokio::spawn(serve::http(self.grpc, rpcs, grpc, shutdown.clone())),
        ];
        let (http, grpc) = (&*self.addresses.http, &*self.addresses.grpc);
        announce(&[("http", http), ("grpc", grpc)], self.metrics.as_deref());
        for server in serving {
            server.await.map_err(Error::internal)?;
        }
        Ok(())
    }
}
