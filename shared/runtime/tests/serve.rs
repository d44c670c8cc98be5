//! A listener from the request to stop to its end.
#![allow(
    clippy::unwrap_used,
    reason = "a fixture that fails must fail its test, with a backtrace"
)]

use std::{convert::Infallible, io::Write, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use guildhall_runtime::{
    Peer, Shutdown, grpc,
    peer::Remote,
    serve::{self, Serving},
    tls::TlsFiles,
};
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::Notify,
    task::JoinHandle,
    time::{Instant, timeout},
};
use tonic::{body::Body, service::Routes};
use tonic_health::{
    ServingStatus,
    pb::{HealthCheckRequest, health_client::HealthClient},
};
use tower::{ServiceExt, service_fn};

/// Longer than any test takes.
const LONG: Duration = Duration::from_secs(20);

/// A listener that answers `/` at once, and `/slow` when it is let go.
struct Server {
    address: SocketAddr,
    shutdown: Shutdown,
    task: JoinHandle<()>,
    /// A slow request has come.
    came: Arc<Notify>,
    /// It may be answered.
    go: Arc<Notify>,
}

impl Server {
    async fn start(drain_delay: Duration) -> Self {
        let listener = serve::bind(([127, 0, 0, 1], 0).into()).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (came, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let service = {
            let (came, go) = (Arc::clone(&came), Arc::clone(&go));
            service_fn(move |request: Request<Incoming>| {
                let (came, go) = (Arc::clone(&came), Arc::clone(&go));
                async move {
                    if request.uri().path() == "/slow" {
                        came.notify_one();
                        go.notified().await;
                    }
                    Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(b"done"))))
                }
            })
        };
        let shutdown = Shutdown::default();
        let serving = Serving {
            drain_delay,
            ..Serving::default()
        };
        let task = tokio::spawn(serve::http(listener, service, serving, shutdown.clone()));
        Self {
            address,
            shutdown,
            task,
            came,
            go,
        }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    async fn ended(self) {
        timeout(LONG, self.task).await.unwrap().unwrap();
    }
}

async fn send(stream: &mut TcpStream, path: &str) {
    let request = format!("GET {path} HTTP/1.1\r\nhost: here\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
}

/// The head and body of the next answer; empty when the connection ends without one.
async fn answer(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    let mut byte = [0; 1];
    while !text.ends_with(b"done") && stream.read(&mut byte).await.unwrap_or(0) == 1 {
        text.push(byte[0]);
    }
    String::from_utf8(text).unwrap()
}

async fn is_closed(stream: &mut TcpStream) -> bool {
    matches!(stream.read(&mut [0; 1]).await, Ok(0) | Err(_))
}

const CLOSE: &str = "connection: close";

#[tokio::test]
async fn while_it_drains_it_serves_and_sends_clients_elsewhere() {
    let server = Server::start(LONG).await;
    let mut early = server.connect().await;
    send(&mut early, "/").await;
    assert!(!answer(&mut early).await.contains(CLOSE));

    server.shutdown.start();
    send(&mut early, "/").await;
    assert!(answer(&mut early).await.contains(CLOSE));
    assert!(is_closed(&mut early).await);

    let mut late = server.connect().await;
    send(&mut late, "/").await;
    assert!(answer(&mut late).await.contains(CLOSE));

    // A second signal: nobody waits for the delay.
    server.shutdown.hurry();
    let address = server.address;
    server.ended().await;
    TcpStream::connect(address).await.unwrap_err();
}

#[tokio::test]
async fn it_ends_by_itself_when_the_delay_is_over() {
    let server = Server::start(Duration::from_millis(300)).await;
    let began = Instant::now();
    server.shutdown.start();
    server.ended().await;
    assert!(began.elapsed() >= Duration::from_millis(300));
}

#[tokio::test]
async fn over_http_2_an_answer_never_says_close() {
    let server = Server::start(LONG).await;
    server.shutdown.start();
    let stream = server.connect().await;
    let (mut sender, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    let uri = format!("http://{}/", server.address);
    let request = Request::get(uri).body(()).unwrap();
    let (answer, _) = sender.send_request(request, true).unwrap();
    let answer = answer.await.unwrap();
    assert!(answer.status().is_success());
    assert!(!answer.headers().contains_key("connection"));
    server.shutdown.hurry();
    server.ended().await;
}

#[tokio::test]
async fn idle_connections_are_closed_and_busy_ones_finish() {
    let server = Server::start(Duration::ZERO).await;
    let (mut idle, mut busy) = (server.connect().await, server.connect().await);
    send(&mut idle, "/").await;
    answer(&mut idle).await;
    send(&mut busy, "/slow").await;
    server.came.notified().await;

    server.shutdown.start();
    assert!(is_closed(&mut idle).await);
    assert!(!server.task.is_finished());
    server.go.notify_one();
    assert!(answer(&mut busy).await.ends_with("done"));
    assert!(is_closed(&mut busy).await);
    server.ended().await;
}

/// Clients that connected before the signal expect to be served.
#[tokio::test]
async fn a_request_that_was_here_before_the_signal_is_answered() {
    let server = Server::start(Duration::ZERO).await;
    // Blocking, so that the server cannot take up anything in between.
    let streams = [(); 20].map(|()| {
        let mut stream = std::net::TcpStream::connect(server.address).unwrap();
        stream
            .write_all(b"GET / HTTP/1.1\r\nhost: here\r\n\r\n")
            .unwrap();
        stream.set_nonblocking(true).unwrap();
        stream
    });
    server.shutdown.start();
    for stream in streams {
        let mut stream = TcpStream::from_std(stream).unwrap();
        assert!(answer(&mut stream).await.ends_with("done"));
    }
    server.ended().await;
}

#[tokio::test]
async fn who_has_just_connected_may_still_send() {
    let server = Server::start(Duration::ZERO).await;
    let mut stream = server.connect().await;
    server.shutdown.start();
    // Until no new connection is accepted.
    while TcpStream::connect(server.address).await.is_ok() {}
    send(&mut stream, "/").await;
    assert!(answer(&mut stream).await.ends_with("done"));
    server.ended().await;
}

/// A reset would fail a client's write before it has read what we sent last, such as a GOAWAY.
#[tokio::test]
async fn what_comes_while_a_connection_closes_is_not_answered_with_a_reset() {
    let server = Server::start(Duration::ZERO).await;
    let mut stream = server.connect().await;
    send(&mut stream, "/").await;
    answer(&mut stream).await;
    server.shutdown.start();
    assert!(is_closed(&mut stream).await);
    for _ in 0..3 {
        send(&mut stream, "/late").await;
    }
    drop(stream);
    server.ended().await;
}

#[tokio::test]
async fn health_says_not_serving_while_it_drains() {
    let listener = serve::bind(([127, 0, 0, 1], 0).into()).await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let shutdown = Shutdown::default();
    let services = ["guildhall.identity.v1.CredentialService"];
    let routes = grpc::with_standard_services(Routes::builder(), &services, &shutdown);
    let routes = routes.await.unwrap().prepare();
    let service = routes.map_request(|request: Request<Incoming>| request.map(Body::new));
    let serving = Serving {
        drain_delay: LONG,
        ..Serving::default()
    };
    tokio::spawn(serve::http(listener, service, serving, shutdown.clone()));
    let peer = Peer::remote(Remote {
        addresses: vec![address.parse().unwrap()],
        tls: TlsFiles::default(),
        repeatable: Arc::new(|_method, _headers| true),
    });
    let mut client = HealthClient::new(peer.unwrap());
    let names = ["", services[0]];

    for name in names {
        let service = name.to_owned();
        let answer = client.check(HealthCheckRequest { service }).await.unwrap();
        assert_eq!(answer.get_ref().status(), ServingStatus::Serving.into());
    }
    let service = services[0].to_owned();
    let watching = client.watch(HealthCheckRequest { service }).await.unwrap();
    let mut watching = watching.into_inner();
    watching.message().await.unwrap().unwrap();
    shutdown.start();
    let change = watching.message().await.unwrap().unwrap();
    assert_eq!(change.status(), ServingStatus::NotServing.into());
    shutdown.hurry();
}
