//! What a process is made of, from its start to its last answer.

use std::{
    io::{self, ErrorKind, Write},
    net::SocketAddr,
    process::ExitCode,
    sync::Arc,
};

use guildhall_auth::{AccessLayer, Guard, PeerTokens, RpcTable, source::CredentialSource};
use guildhall_catalog::Service as Entry;
use guildhall_runtime::{
    Error, Peer, Result, Shutdown,
    peer::{Address, Remote},
    serve::{self, Servable},
    telemetry, tls,
};
use guildhall_signals::{BusSettings, Signals};
use http::Request;
use hyper::body::Incoming;
use rustls::ServerConfig;
use tokio::net::TcpListener;
use tonic::body::Body;
use tower::ServiceExt;
use zeroize::Zeroizing;

use crate::{PeerUrls, Peers, ProcessSettings, Rpcs, ServeSettings, metrics::port, secret, stack};

/// Starts logs and traces, runs a process to its end, and says on standard error why it failed.
pub async fn finish(
    log: &str,
    settings: &ServeSettings,
    run: impl Future<Output = Result<()>>,
) -> ExitCode {
    tls::install();
    let telemetry = match telemetry::start(log, settings.trust_traceparent) {
        Ok(telemetry) => telemetry,
        Err(error) => {
            eprintln!("guildhall: {error}");
            return ExitCode::FAILURE;
        }
    };
    let ended = run.await;
    telemetry.end().await;
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("guildhall: {}", error.with_causes());
            ExitCode::FAILURE
        }
    }
}

/// Where a process listens, and for what.
#[derive(Debug, Clone, Copy)]
pub enum Endpoint {
    /// gRPC, over TLS when there is a certificate.
    Grpc(SocketAddr),
    /// HTTP in plain text, for an ingress.
    Http(SocketAddr),
}

/// A process of a cluster: what it has in common with all others.
#[derive(Debug)]
pub struct Process<'a> {
    /// The signal to stop.
    pub shutdown: Shutdown,
    /// What processes tell each other.
    pub signals: Signals,
    /// The platform's secret.
    pub secret: Zeroizing<Vec<u8>>,
    /// What it serves, as the line `ready` calls it.
    protocol: &'static str,
    /// Where its metrics are read.
    metrics: Option<String>,
    listener: TcpListener,
    tls: Option<Arc<ServerConfig>>,
    tokens: PeerTokens,
    rules: RpcTable,
    bus: BusSettings,
    settings: &'a ProcessSettings,
}

impl<'a> Process<'a> {
    /// A process of `service`, which will serve at `endpoint`; the broker may be away.
    ///
    /// # Errors
    /// When the address is taken, the secret or the TLS files cannot be used, or the signal
    /// handlers cannot be installed.
    pub async fn start(
        service: &Entry,
        endpoint: Endpoint,
        settings: &'a ProcessSettings,
    ) -> Result<Self> {
        let shutdown = Shutdown::on_signal().map_err(Error::internal)?;
        let secret = secret::load(&settings.secret_key_file)?;
        let (protocol, address, tls) = match endpoint {
            Endpoint::Grpc(address) => ("grpc", address, settings.serve.server_tls()?),
            Endpoint::Http(address) => ("http", address, None),
        };
        let listener = listen(address).await?;
        let metrics = port::serve(settings.serve.metrics, service.name).await?;
        // Last: a process that is on the bus and then fails to start would be missed by the others.
        let bus = settings.serve.bus(service, &settings.nats_url, &secret)?;
        Ok(Self {
            signals: Signals::connect(&bus, &shutdown)?,
            protocol,
            metrics,
            listener,
            tls,
            tokens: PeerTokens::new(&secret),
            rules: RpcTable::load()?,
            bus,
            shutdown,
            secret,
            settings,
        })
    }

    /// Runs what must be made before the process can serve; given up at the signal to stop.
    ///
    /// # Errors
    /// Why it cannot be made, once the others know that this process leaves.
    pub async fn open<T>(&self, opening: impl Future<Output = Result<T>>) -> Result<T> {
        open(&self.shutdown, &self.signals, opening).await
    }

    /// The services that the flags name, with a peer token in every call.
    ///
    /// # Errors
    /// When the TLS files cannot be used.
    pub fn connect<C>(&self, urls: &PeerUrls<C>) -> Result<Peers> {
        connect(urls, &self.settings.serve, &self.rules, &self.tokens)
    }

    /// Where it listens.
    ///
    /// # Errors
    /// Never in practice: only when the listener has no address.
    pub fn address(&self) -> Result<SocketAddr> {
        self.listener.local_addr().map_err(Error::internal)
    }

    /// How it is on the bus.
    #[must_use]
    pub fn bus(&self) -> &BusSettings {
        &self.bus
    }

    /// Lets in the callers that `source` knows.
    #[must_use]
    pub fn guard(&self, source: Arc<dyn CredentialSource>) -> Guard {
        Guard::new(source, self.settings.serve.rate_limit(), &self.signals)
    }

    /// Serves gRPC behind the access layer until the signal to stop.
    ///
    /// # Errors
    /// A broken build: when the protos' descriptors do not decode.
    pub async fn serve_grpc(self, guard: Guard, rpcs: Rpcs) -> Result<()> {
        let routes = rpcs.with_health_and_reflection(&self.shutdown).await?;
        let access = AccessLayer::new(guard, self.rules.clone(), self.tokens.clone());
        let service =
            stack(routes, access).map_request(|request: Request<Incoming>| request.map(Body::new));
        self.serve(service).await
    }

    /// Says that the process is ready, and serves until the signal to stop.
    ///
    /// # Errors
    /// Never in practice: only when the listener has no address.
    pub async fn serve(self, service: impl Servable) -> Result<()> {
        let url = url_of(&self.listener, self.tls.is_some())?;
        announce(&[(self.protocol, &url)], self.metrics.as_deref());
        let serving = self.settings.serve.serving(self.protocol, self.tls, 1);
        serve::http(self.listener, service, serving, self.shutdown).await;
        leave(&self.signals).await;
        Ok(())
    }
}

/// Says on standard output that a process is ready, and where it is reached.
pub fn announce(endpoints: &[(&str, &str)], metrics: Option<&str>) {
    let endpoints = endpoints.iter().copied();
    let endpoints = endpoints.chain(metrics.map(|url| ("metrics", url)));
    let endpoints: Vec<_> = endpoints
        .map(|(name, url)| format!("{name}={url}"))
        .collect();
    // Nobody may be listening any more, and that is no reason to stop.
    let _ = writeln!(io::stdout(), "ready {}", endpoints.join(" "));
}

/// See [`Process::open`].
///
/// # Errors
/// Why it cannot be made, once the others know that this process leaves.
pub async fn open<T>(
    shutdown: &Shutdown,
    signals: &Signals,
    opening: impl Future<Output = Result<T>>,
) -> Result<T> {
    let opened = tokio::select! {
        opened = opening => opened,
        () = shutdown.started() => Err(Error::bug("stopped before it was ready")),
    };
    if opened.is_err() {
        shutdown.start();
        leave(signals).await;
    }
    opened
}

/// Has the others know that this process leaves; they would miss one that only fell silent.
pub async fn leave(signals: &Signals) {
    if !signals.delivered().await {
        tracing::warn!(
            "the broker was away at the end: other processes do not know that this one left"
        );
    }
}

/// The services that flags name, in other processes, with a peer token of `tokens` in every call.
///
/// # Errors
/// When the TLS files cannot be used.
pub fn connect<C>(
    urls: &PeerUrls<C>,
    settings: &ServeSettings,
    rules: &RpcTable,
    tokens: &PeerTokens,
) -> Result<Peers> {
    let peer = |replicas: &[Address]| -> Result<Peer> {
        let rules = rules.clone();
        let peer = Peer::remote(Remote {
            addresses: replicas.to_vec(),
            tls: settings.tls(),
            repeatable: Arc::new(move |path, headers| rules.is_repeatable(path, headers)),
        })?;
        Ok(tokens.sign_calls(peer))
    };
    urls.iter()
        .map(|(service, replicas)| Ok((*service, peer(replicas)?)))
        .collect()
}

/// Binds an address; port 0 takes a free one.
///
/// # Errors
/// When the address is taken or not ours.
pub async fn listen(address: SocketAddr) -> Result<TcpListener> {
    serve::bind(address).await.map_err(|error| {
        let advice = if error.kind() == ErrorKind::AddrInUse {
            "is another one running? Choose another address"
        } else {
            "choose an address of this machine"
        };
        Error::bug(format!("{error}: {advice}"))
    })
}

/// Where a listener is reached.
///
/// # Errors
/// Never in practice: only when the listener has no address.
pub fn url_of(listener: &TcpListener, tls: bool) -> Result<String> {
    let scheme = if tls { "https" } else { "http" };
    let address = listener.local_addr().map_err(Error::internal)?;
    Ok(format!("{scheme}://{address}"))
}
