//! A server that counts what reaches it and behaves as it is told, and calls to it.

use std::{net::SocketAddr, pin::Pin, sync::Arc, time::Duration};

use futures::{Stream, StreamExt, stream};
use guildhall_runtime::{
    Error, Peer, Reason, Shutdown,
    peer::{Address, Remote},
    serve::{self, Serving},
    tls::TlsFiles,
};
use http::Request;
use hyper::body::Incoming;
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};
use tonic::{Response, Status, body::Body, service::Routes};
use tonic_health::pb::{
    HealthCheckRequest, HealthCheckResponse,
    health_client::HealthClient,
    health_server::{Health, HealthServer},
};
use tower::ServiceExt;

/// The method that the tests call. A call for the process (an empty name) is a peer's own, and is
/// not counted.
pub const SERVICE: &str = "counted";

/// The header of a call that may be repeated.
pub const REPEATABLE: &str = "idempotency-key";

/// What a server does with a call.
#[derive(Debug, Clone, Copy)]
pub enum Behaviour {
    /// Answers.
    Answer,
    /// Answers after a while.
    Slow(Duration),
    /// Never answers.
    Hang,
    /// Says that it is overloaded, as a service of ours.
    Overloaded,
    /// Says UNAVAILABLE and nothing else, as a proxy.
    Vague,
    /// Says that the call is under way already, as a service of ours.
    InFlight,
    /// Says so of its second call, and UNAVAILABLE as a proxy to the first.
    LostThenInFlight,
}

/// The service behind a server.
#[derive(Clone)]
struct Counted {
    behaviour: Behaviour,
    asked: watch::Sender<usize>,
}

#[tonic::async_trait]
impl Health for Counted {
    async fn check(
        &self,
        request: tonic::Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        if request.get_ref().service != SERVICE {
            return Ok(Response::new(HealthCheckResponse::default()));
        }
        self.asked.send_modify(|asked| *asked += 1);
        match self.behaviour {
            Behaviour::Answer => {}
            Behaviour::Slow(pause) => tokio::time::sleep(pause).await,
            Behaviour::Hang => std::future::pending().await,
            Behaviour::Overloaded => {
                return Err(Error::unavailable(Reason::Overloaded, "Too many").into());
            }
            Behaviour::Vague => return Err(vague()),
            Behaviour::InFlight => return Err(in_flight()),
            Behaviour::LostThenInFlight => match *self.asked.borrow() {
                1 => return Err(vague()),
                2 => return Err(in_flight()),
                _ => {}
            },
        }
        let mut answer = Response::new(HealthCheckResponse::default());
        // The deadline as it came, for tests that look at the wire.
        if let Some(timeout) = request.metadata().get("grpc-timeout") {
            answer
                .metadata_mut()
                .insert("seen-timeout", timeout.clone());
        }
        Ok(answer)
    }

    type WatchStream = Pin<Box<dyn Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

    /// One message, and then silence.
    async fn watch(
        &self,
        _request: tonic::Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        self.asked.send_modify(|asked| *asked += 1);
        let first = stream::iter([Ok(HealthCheckResponse::default())]);
        Ok(Response::new(first.chain(stream::pending()).boxed()))
    }
}

fn vague() -> Status {
    Status::unavailable("no healthy upstream")
}

fn in_flight() -> Status {
    Error::new(Reason::IdempotencyInFlight, "It is under way").into()
}

/// A server on this machine.
pub struct Server {
    pub socket: SocketAddr,
    asked: watch::Receiver<usize>,
    shutdown: Shutdown,
    task: JoinHandle<()>,
}

impl Server {
    /// On a free port.
    pub async fn start(behaviour: Behaviour) -> Self {
        Self::start_with(behaviour, Serving::default()).await
    }

    pub async fn start_with(behaviour: Behaviour, serving: Serving) -> Self {
        let listener = serve::bind(([127, 0, 0, 1], 0).into()).await.unwrap();
        Self::on(listener, behaviour, serving)
    }

    /// Where one was before.
    pub async fn start_at(socket: SocketAddr, behaviour: Behaviour) -> Self {
        let listener = serve::bind(socket).await.unwrap();
        Self::on(listener, behaviour, Serving::default())
    }

    fn on(listener: TcpListener, behaviour: Behaviour, serving: Serving) -> Self {
        let socket = listener.local_addr().unwrap();
        let (count, asked) = watch::channel(0);
        let counted = Counted {
            behaviour,
            asked: count,
        };
        let routes = Routes::new(HealthServer::new(counted)).prepare();
        let service = routes.map_request(|request: Request<Incoming>| request.map(Body::new));
        let shutdown = Shutdown::default();
        let task = tokio::spawn(serve::http(listener, service, serving, shutdown.clone()));
        Self {
            socket,
            asked,
            shutdown,
            task,
        }
    }

    pub fn address(&self) -> Address {
        format!("http://{}", self.socket).parse().unwrap()
    }

    /// How many calls reached it.
    pub fn asked(&self) -> usize {
        *self.asked.borrow()
    }

    /// Resolves when so many calls have reached it.
    pub async fn was_asked(&self, count: usize) {
        let mut asked = self.asked.clone();
        asked.wait_for(|asked| *asked >= count).await.unwrap();
    }

    /// Ends it as its signal would; resolves when it has ended, with how many calls reached it.
    pub async fn stop(self) -> usize {
        self.shutdown.start();
        self.task.await.unwrap();
        *self.asked.borrow()
    }

    /// Ends it and its connections at once.
    pub async fn kill(self) {
        self.task.abort();
        self.task.await.unwrap_err();
    }
}

/// A peer at these addresses. Calls with the header [`REPEATABLE`] may be repeated.
pub fn peer(addresses: impl IntoIterator<Item = Address>) -> Peer {
    peer_with(addresses, TlsFiles::default())
}

pub fn peer_with(addresses: impl IntoIterator<Item = Address>, tls: TlsFiles) -> Peer {
    Peer::remote(Remote {
        addresses: addresses.into_iter().collect(),
        tls,
        repeatable: Arc::new(|_method, headers| headers.contains_key(REPEATABLE)),
    })
    .unwrap()
}

fn request(repeatable: bool) -> tonic::Request<HealthCheckRequest> {
    let mut request = tonic::Request::new(HealthCheckRequest {
        service: SERVICE.to_owned(),
    });
    if repeatable {
        let key = "a-key".parse().unwrap();
        request.metadata_mut().insert(REPEATABLE, key);
    }
    request
}

/// A call that must be made once at most.
pub async fn call(peer: &Peer) -> Result<Response<HealthCheckResponse>, Error> {
    let answer = HealthClient::new(peer.clone()).check(request(false)).await;
    answer.map_err(Error::from)
}

/// A call that may be repeated.
pub async fn call_repeatably(peer: &Peer) -> Result<Response<HealthCheckResponse>, Error> {
    let answer = HealthClient::new(peer.clone()).check(request(true)).await;
    answer.map_err(Error::from)
}

/// A call whose caller has only so much time.
pub async fn call_within(
    peer: &Peer,
    limit: Duration,
) -> Result<Response<HealthCheckResponse>, Error> {
    let mut request = request(false);
    request.set_timeout(limit);
    let answer = HealthClient::new(peer.clone()).check(request).await;
    answer.map_err(Error::from)
}

/// A stream that may be repeated.
pub async fn watch(peer: &Peer) -> Result<tonic::Streaming<HealthCheckResponse>, Error> {
    let answer = HealthClient::new(peer.clone()).watch(request(true)).await;
    answer.map(Response::into_inner).map_err(Error::from)
}

/// What may have been done is not to be tried again without further ado.
pub fn assert_in_doubt(error: &Error) {
    assert_eq!(error.reason(), Reason::OutcomeUnknown, "{error:?}");
    assert!(error.retry_delay().is_some());
    assert!(error.message().contains("Idempotency-Key"), "{error:?}");
}

/// What a caller is told: that it will work later, when to try, and nothing about us.
pub fn assert_unreachable(error: &Error) {
    assert_eq!(error.reason(), Reason::Unreachable, "{error:?}");
    assert!(error.retry_delay().is_some());
    assert_eq!(error.message(), "The service is unavailable, try again");
}
