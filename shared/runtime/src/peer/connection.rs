//! One HTTP/2 connection to a replica, made and made again in the background.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use h2::RecvStream;
use http::{Method, Request, Response, Uri, header::CONTENT_TYPE};
use parking_lot::Mutex;
use rustls::{ClientConfig, pki_types::ServerName};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tower::BoxError;

use super::{
    address::Address,
    attempt::Failure,
    metrics::AddressMetrics,
    pool::Waiters,
    wire::{self, Driver, Sender},
};
use crate::{metrics::Open, tls};

/// How long it may take to connect, including the first answer.
const CONNECT: Duration = Duration::from_secs(2);

/// The pause after a connection ended or could not be made, and the limit up to which it doubles.
const PAUSE: Duration = Duration::from_millis(50);
const MAX_PAUSE: Duration = Duration::from_secs(2);

/// The longest pause while calls wait.
const MAX_PAUSE_WANTED: Duration = Duration::from_millis(250);

/// After a connection that lasted this long, pauses are short again.
const GOOD: Duration = Duration::from_secs(1);

/// The log says at most this often that a replica cannot be reached.
const WARN_EVERY: Duration = Duration::from_secs(10);

/// Calls at a time on one connection. Our servers allow 256 streams; h2 would queue further ones.
const MAX_CALLS: usize = 250;

/// An answer to this proves that a server is there: gRPC's standard health check of the process.
const PROBE: &str = "/grpc.health.v1.Health/Check";

/// One of the connections to a replica.
pub(super) struct Connection {
    address: Address,
    replica: usize,
    turn: usize,
    tls: Option<TlsConnector>,
    metrics: AddressMetrics,
    session: Mutex<Option<Arc<Session>>>,
}

impl Connection {
    /// Connection number `turn` to a replica.
    pub fn new(
        address: Address,
        replica: usize,
        turn: usize,
        tls: Option<Arc<ClientConfig>>,
    ) -> Self {
        let tls = tls.filter(|_| address.is_https()).map(TlsConnector::from);
        Self {
            metrics: AddressMetrics::of(&address),
            address,
            replica,
            turn,
            tls,
            session: Mutex::new(None),
        }
    }

    /// Its session, while it is up and takes calls.
    pub fn session(&self) -> Option<Arc<Session>> {
        let session = self.session.lock().clone();
        session.filter(|session| !session.closing.load(Ordering::Relaxed))
    }

    /// Connects, and again whenever the connection ends, with pauses that grow while it fails.
    pub async fn keep(self: Arc<Self>, waiters: Arc<Waiters>) {
        let mut waiting = waiters.waiting.subscribe();
        let mut failures = 0;
        let mut warned_at: Option<Instant> = None;
        loop {
            let began = Instant::now();
            match self.connect().await {
                Ok((sender, driver)) => {
                    if warned_at.take().is_some() {
                        tracing::info!(address = %self.address, "connected again");
                    }
                    *self.session.lock() = Some(Arc::new(Session {
                        sender,
                        replica: self.replica,
                        address: self.address.clone(),
                        metrics: self.metrics.clone(),
                        calls: AtomicUsize::new(0),
                        closing: AtomicBool::new(false),
                    }));
                    let _open = Open::count(&self.metrics.open);
                    waiters.opened.notify_waiters();
                    let ended = driver.await;
                    *self.session.lock() = None;
                    tracing::debug!(address = %self.address, ?ended, "connection ended");
                }
                Err(error) if warned_at.is_none_or(|at| at.elapsed() > WARN_EVERY) => {
                    tracing::warn!(address = %self.address, error = %crate::error::chain(&*error), "cannot connect");
                    warned_at = Some(Instant::now());
                }
                Err(_said_lately) => {}
            }
            failures = if began.elapsed() > GOOD {
                0
            } else {
                failures + 1
            };
            let pause = pause(failures);
            tokio::time::sleep(pause.min(MAX_PAUSE_WANTED)).await;
            tokio::select! {
                () = tokio::time::sleep(pause.saturating_sub(MAX_PAUSE_WANTED)) => {}
                _ = waiting.wait_for(|waiting| *waiting > 0) => {}
            }
        }
    }

    async fn connect(&self) -> Result<(Sender, Driver), BoxError> {
        let connected = async {
            let stream = self.reach().await?;
            let (sender, driver) = match &self.tls {
                Some(tls) => {
                    let name = ServerName::try_from(self.address.host().to_owned())?;
                    let stream = tls.connect(name, stream).await?;
                    if stream.get_ref().1.alpn_protocol() != Some(tls::H2) {
                        return Err("the server does not speak HTTP/2".into());
                    }
                    wire::handshake(stream).await?
                }
                None => wire::handshake(stream).await?,
            };
            self.prove(sender, driver).await
        };
        let in_time = tokio::time::timeout(CONNECT, connected).await;
        in_time.unwrap_or_else(|_elapsed| Err("no answer in time".into()))
    }

    /// Opens a socket to the replica. If a name has several addresses, each connection begins with a
    /// different one.
    async fn reach(&self) -> io::Result<TcpStream> {
        let found = tokio::net::lookup_host((self.address.host(), self.address.port())).await?;
        let mut found: Vec<_> = found.collect();
        let first = self.turn % found.len().max(1);
        found.rotate_left(first);
        let stream = TcpStream::connect(&found[..]).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    /// Waits for a first answer, whatever it says: an open socket does not prove that a server runs.
    async fn prove(
        &self,
        sender: Sender,
        mut driver: Driver,
    ) -> Result<(Sender, Driver), BoxError> {
        let probe = Request::builder()
            .method(Method::POST)
            .uri(self.address.of(&Uri::from_static(PROBE)))
            .header(CONTENT_TYPE, "application/grpc")
            .header("te", "trailers")
            .body(())?;
        // An empty message: not compressed, no bytes.
        let answer = wire::send(sender.clone(), probe, Bytes::from_static(&[0; 5]));
        tokio::select! {
            answer = answer => { answer?; }
            ended = &mut driver => {
                ended?;
                return Err("the server closed the connection".into());
            }
        }
        Ok((sender, driver))
    }
}

/// Doubles with each failure; half of it is random, so that clients do not reconnect all at once.
fn pause(failures: u32) -> Duration {
    let full = PAUSE
        .saturating_mul(1 << failures.saturating_sub(1).min(16))
        .min(MAX_PAUSE);
    let mut random = [0; 1];
    // Without randomness pauses are only less spread.
    let _ = aws_lc_rs::rand::fill(&mut random);
    full / 2 + full.mul_f64(f64::from(random[0]) / 512.0)
}

/// The time from the handshake of a connection to its end.
pub(super) struct Session {
    sender: Sender,
    replica: usize,
    address: Address,
    metrics: AddressMetrics,
    calls: AtomicUsize,
    /// It takes no new calls; those under way may still end.
    closing: AtomicBool,
}

impl Session {
    /// Which of the addresses it leads to.
    pub fn replica(&self) -> usize {
        self.replica
    }

    /// How many calls are on it, streams included.
    pub fn busy(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }

    /// Room for one more call; `None` when it is full.
    pub fn take(self: Arc<Self>) -> Option<Call> {
        let full = self.calls.fetch_add(1, Ordering::Relaxed) >= MAX_CALLS;
        let call = Call(self);
        (!full).then_some(call)
    }
}

/// Room for a call on a connection, until it is dropped.
pub(super) struct Call(Arc<Session>);

impl Call {
    /// Which of the addresses it goes to.
    pub fn replica(&self) -> usize {
        self.0.replica
    }

    /// The address of a method at the other end.
    pub fn uri(&self, method: &Uri) -> Uri {
        self.0.address.of(method)
    }

    /// Sends a request; resolves with the head of its answer.
    pub async fn send(
        &self,
        request: Request<()>,
        body: Bytes,
    ) -> Result<Response<RecvStream>, Failure> {
        let began = Instant::now();
        let answer = wire::send(self.0.sender.clone(), request, body).await;
        if let Err(Failure::Unsent(_)) = answer {
            self.0.closing.store(true, Ordering::Relaxed);
        }
        let duration = began.elapsed().as_secs_f64();
        self.0.metrics.duration.observe(duration);
        answer
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.0.calls.fetch_sub(1, Ordering::Relaxed);
    }
}
