//! What a process is made of, from its start to its last answer.

use std::{convert::Infallible, io::ErrorKind, net::SocketAddr, process::ExitCode, sync::Arc};

use guildhall_auth::{AccessLayer, Guard, PeerTokens, RpcTable, source::CredentialSource};
use guildhall_data::seal;
use guildhall_events::{
    BusSettings, Outbox,
    jetstream::{self, JetStream},
};
use guildhall_runtime::{
    Error, Peer, Result, Shutdown, grpc,
    peer::{Address, Remote},
    serve::{self, Serving},
    telemetry, tls,
};
use guildhall_signals::Signals;
use http::{Request, Response};
use hyper::body::Incoming;
use rustls::ServerConfig;
use tokio::net::TcpListener;
use tonic::{
    body::Body,
    service::{Routes, RoutesBuilder},
};
use tower::{Service, ServiceExt};
use zeroize::Zeroizing;

use crate::{ProcessSettings, ServeSettings, metrics::port, stack};

/// Starts logs and traces, runs a process to its end, and says on standard error why it failed.
pub async fn finish(log: &str, run: impl Future<Output = Result<()>>) -> ExitCode {
    tls::install();
    let telemetry = match telemetry::start(log) {
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

/// What a process is on the bus.
#[derive(Debug, Clone, Copy)]
pub struct Part {
    /// The service's name.
    pub service: &'static str,
    /// The services whose signals it acts on.
    pub hears: &'static [&'static str],
}

/// What a process serves, and where.
#[derive(Debug, Clone, Copy)]
pub enum Door {
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
    speaks: &'static str,
    /// Where its metrics are read.
    metrics: Option<String>,
    listener: TcpListener,
    tls: Option<Arc<ServerConfig>>,
    tokens: PeerTokens,
    rules: RpcTable,
    streams: JetStream,
    settings: &'a ProcessSettings,
}

impl<'a> Process<'a> {
    /// A process that plays its part, and will serve at its door; the broker may be away.
    ///
    /// # Errors
    /// When the address is taken, the secret or the TLS files cannot be used, or the signal
    /// handlers cannot be installed.
    pub async fn start(part: Part, door: Door, settings: &'a ProcessSettings) -> Result<Self> {
        let shutdown = Shutdown::on_signal().map_err(Error::internal)?;
        let secret = seal::load_secret(&settings.secret_key_file)?;
        let (speaks, address, tls) = match door {
            Door::Grpc(address) => ("grpc", address, settings.serve.server_tls()?),
            Door::Http(address) => ("http", address, None),
        };
        let listener = listen(address).await?;
        let metrics = port::serve(settings.serve.metrics, part.service).await?;
        // Last: the others would wait for a process that fell silent before it was there.
        let bus = bus(part, &settings.nats_url, &settings.serve);
        Ok(Self {
            signals: Signals::connect(&bus, &shutdown)?,
            speaks,
            metrics,
            listener,
            tls,
            tokens: PeerTokens::new(&secret),
            rules: RpcTable::load()?,
            streams: JetStream::new(bus),
            shutdown,
            secret,
            settings,
        })
    }

    /// What is made before the process can serve, given up at the signal to stop.
    ///
    /// # Errors
    /// Why it cannot be made, once the others know that this process leaves.
    pub async fn open<T>(&self, opening: impl Future<Output = Result<T>>) -> Result<T> {
        open(&self.shutdown, &self.signals, opening).await
    }

    /// A service in other processes, to which every call is vouched for.
    ///
    /// # Errors
    /// When the TLS files cannot be used.
    pub fn peer(&self, replicas: &[Address]) -> Result<Peer> {
        let peer = remote(replicas, &self.settings.serve, &self.rules)?;
        Ok(self.tokens.vouch(peer))
    }

    /// Where events are carried.
    #[must_use]
    pub fn streams(&self) -> &JetStream {
        &self.streams
    }

    /// Has the events of a service carried to the others.
    pub fn publish(&self, outbox: &Outbox) {
        jetstream::publish(outbox, &self.streams, &self.shutdown);
    }

    /// Lets callers in whom `source` knows.
    #[must_use]
    pub fn guard(&self, source: Arc<dyn CredentialSource>) -> Guard {
        Guard::new(source, self.settings.serve.rate_limit(), &self.signals)
    }

    /// Serves gRPC behind the access layer until the signal to stop. `add` adds the services whose
    /// full names are `names`.
    ///
    /// # Errors
    /// A broken build: when the protos' descriptors do not decode.
    pub async fn serve_grpc(
        self,
        guard: Guard,
        names: &[&'static str],
        add: impl FnOnce(&mut RoutesBuilder),
    ) -> Result<()> {
        let mut routes = Routes::builder();
        add(&mut routes);
        let routes = grpc::with_standard_services(routes, names, &self.shutdown)
            .await
            .map_err(Error::internal)?;
        let access = AccessLayer::new(guard, self.rules.clone(), self.tokens.clone());
        let service =
            stack(routes, access).map_request(|request: Request<Incoming>| request.map(Body::new));
        self.serve(service).await
    }

    /// Says that the process is ready, and serves until the signal to stop.
    ///
    /// # Errors
    /// Never in practice: only when the listener has no address.
    pub async fn serve<S, B>(self, service: S) -> Result<()>
    where
        S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible>
            + Clone
            + Send
            + 'static,
        S::Future: Send + 'static,
        B: http_body::Body<Data = bytes::Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let url = url_of(&self.listener, self.tls.is_some())?;
        announce(&[(self.speaks, &url)], self.metrics.as_deref());
        let serving = Serving {
            name: self.speaks,
            tls: self.tls,
            drain_delay: self.settings.serve.drain_delay(),
        };
        serve::http(self.listener, service, serving, self.shutdown).await;
        leave(&self.signals).await;
        Ok(())
    }
}

/// Says on standard output that a process is ready, and where it is reached.
pub fn announce(doors: &[(&str, &str)], metrics: Option<&str>) {
    let doors = doors.iter().copied();
    let doors = doors.chain(metrics.map(|url| ("metrics", url)));
    let doors: Vec<_> = doors.map(|(name, url)| format!("{name}={url}")).collect();
    println!("ready {}", doors.join(" "));
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

/// The others would wait for a process that only fell silent.
pub async fn leave(signals: &Signals) {
    if !signals.delivered().await {
        tracing::warn!(
            "the broker was away at the end: other processes do not know that this one left"
        );
    }
}

/// How a process is on the bus.
#[must_use]
pub fn bus(part: Part, urls: &[String], serve: &ServeSettings) -> BusSettings {
    BusSettings {
        urls: urls.to_vec(),
        tls_ca: serve.tls_ca.clone(),
        stream_replicas: serve.nats_replicas,
        retention: serve.event_retention,
        service: part.service,
        hears: part.hears,
    }
}

/// A service in other processes, not vouched for: to be called with a caller's credentials.
///
/// # Errors
/// When the TLS files cannot be used.
pub fn remote(replicas: &[Address], serve: &ServeSettings, rules: &RpcTable) -> Result<Peer> {
    let rules = rules.clone();
    Peer::remote(Remote {
        addresses: replicas.to_vec(),
        tls: serve.tls(),
        repeatable: Arc::new(move |path, headers| rules.is_repeatable(path, headers)),
    })
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
