//! All services and the gateway in one process: the same layers as between processes, no socket.

use guildhall_auth::{AccessLayer, Guard, PeerTokens, RpcTable};
use guildhall_events::jetstream;
use guildhall_gateway::{Settings as GatewaySettings, Upstream};
use guildhall_identity::Identity;
use guildhall_messaging::Messaging;
use guildhall_runtime::{
    Error, Peer, Result, Shutdown, grpc,
    serve::{self, Serving},
};
use guildhall_server::{
    metrics::port,
    process::{announce, leave, listen, open, url_of},
    stack,
};
use guildhall_webhooks::{Peers, Webhooks};
use http::Request;
use hyper::body::Incoming;
use tonic::{body::Body, service::Routes};
use tower::ServiceExt;

use crate::{
    demo::{self, Addresses},
    home::{self, Home},
    settings::Settings,
};

/// Starts everything and serves until the signal to stop.
pub async fn run(settings: &Settings) -> Result<()> {
    let shutdown = Shutdown::on_signal().map_err(Error::internal)?;
    let Home { storage, secret } = Home::of(settings)?;
    let http = listen(settings.http).await?;
    let grpc = listen(settings.grpc).await?;
    let metrics = port::serve(settings.serve.metrics, "guildhall").await?;
    // Last: the others would wait for a process that fell silent before it was there.
    let signals = home::signals(settings, &shutdown)?;
    let identity = Identity::open(&storage, &secret, signals.clone(), &shutdown);
    let identity = open(&shutdown, &signals, identity).await?;
    let _alone = home::hold(settings)?;
    let tokens = PeerTokens::new(&secret);
    let rate = settings.serve.rate_limit();
    let guard = Guard::new(identity.credential_source(), rate, &signals);
    let access = AccessLayer::new(guard.clone(), RpcTable::load()?, tokens.clone());

    let mut alone = Routes::builder();
    identity.add_services(&mut alone);
    let identity_peer = tokens.vouch(Peer::in_process(stack(alone.routes(), access.clone())));
    let messaging = Messaging::open(&storage, identity_peer, signals.clone(), &shutdown);
    let messaging = open(&shutdown, &signals, messaging).await?;

    let mut domains = Routes::builder();
    identity.add_services(&mut domains);
    messaging.add_services(&mut domains);
    let domains = tokens.vouch(Peer::in_process(stack(domains.routes(), access.clone())));
    let peers = Peers {
        identity: domains.clone(),
        messaging: domains,
        mail: settings
            .webhooks
            .mail
            .transport(&settings.data_dir.join("mail"))?,
    };
    let own = settings.webhooks.clone();
    let webhooks = Webhooks::open(&storage, &secret, peers, own, signals.clone(), &shutdown);
    let webhooks = open(&shutdown, &signals, webhooks).await?;
    let outboxes = [identity.outbox(), messaging.outbox(), webhooks.outbox()];
    match home::streams(settings) {
        None => webhooks.hear(&outboxes, settings.serve.event_retention),
        Some(streams) => {
            for outbox in outboxes {
                jetstream::publish(outbox, &streams, &shutdown);
            }
            webhooks.hear_streams(&streams);
        }
    }

    let mut routes = Routes::builder();
    identity.add_services(&mut routes);
    messaging.add_services(&mut routes);
    webhooks.add_services(&mut routes);
    let services = [Identity::SERVICES, Messaging::SERVICES, Webhooks::SERVICES].concat();
    let routes = grpc::with_standard_services(routes, &services, &shutdown)
        .await
        .map_err(Error::internal)?;
    let everything = stack(routes, access);
    let peer = tokens.vouch(Peer::in_process(everything.clone()));
    let upstream = Upstream {
        identity: peer.clone(),
        messaging: peer.clone(),
        webhooks: peer,
    };

    let rpc_serving = Serving {
        name: "grpc",
        tls: settings.serve.server_tls()?,
        drain_delay: settings.serve.drain_delay(),
    };
    let addresses = Addresses {
        http: url_of(&http, false)?,
        grpc: url_of(&grpc, rpc_serving.tls.is_some())?,
        identity_grpc: None,
    };
    if settings.demo {
        demo::prepare(&identity, &upstream, &settings.data_dir, &addresses).await?;
    }
    let gateway_settings = GatewaySettings {
        trusted_proxies: settings.trusted_proxies.clone(),
        public_url: settings.public_url.clone(),
    };
    let gateway = guildhall_gateway::service(upstream, guard, gateway_settings, shutdown.clone());
    let rpc = everything.map_request(|request: Request<Incoming>| request.map(Body::new));

    let http_serving = Serving {
        name: "http",
        tls: None,
        drain_delay: settings.serve.drain_delay(),
    };
    let serving = [
        tokio::spawn(serve::http(http, gateway, http_serving, shutdown.clone())),
        tokio::spawn(serve::http(grpc, rpc, rpc_serving, shutdown)),
    ];
    let doors = [("http", &*addresses.http), ("grpc", &*addresses.grpc)];
    announce(&doors, metrics.as_deref());
    for server in serving {
        server.await.map_err(Error::internal)?;
    }
    webhooks.finished().await;
    leave(&signals).await;
    Ok(())
}
