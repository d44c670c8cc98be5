//! What strangers cannot hold: connections, and the memory of answers.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a fixture that fails must fail its test, with a backtrace"
)]

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use guildhall_runtime::{
    Shutdown,
    serve::{self, ConnectionLimits, Patience, Serving},
};
use h2::client::SendRequest;
use http::{Request, Response, StatusCode};
use http_body::{Body, Frame};
use hyper::body::Incoming;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::Notify,
    time::timeout,
};
use tower::service_fn;

/// Longer than any test takes.
const LONG: Duration = Duration::from_secs(20);
/// What clients are granted here.
const SHORT: Duration = Duration::from_millis(300);
const LARGE: usize = 16 * 1024 * 1024;
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// One large piece; says when nobody holds it any more.
struct Large {
    piece: Option<Bytes>,
    dropped: Arc<Notify>,
}

impl Body for Large {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.piece.take().map(|piece| Ok(Frame::data(piece))))
    }
}

impl Drop for Large {
    fn drop(&mut self) {
        self.dropped.notify_one();
    }
}

/// A listener that answers `/large` with much, and all else with little.
struct Server {
    address: SocketAddr,
    dropped: Arc<Notify>,
}

impl Server {
    async fn start(limits: ConnectionLimits, patience: Patience) -> Self {
        let listener = serve::bind(([127, 0, 0, 1], 0).into()).await.unwrap();
        let address = listener.local_addr().unwrap();
        let large_dropped = Arc::new(Notify::new());
        let dropped = Arc::clone(&large_dropped);
        let service = service_fn(move |request: Request<Incoming>| {
            let is_large = request.uri().path() == "/large";
            let dropped = if is_large {
                Arc::clone(&large_dropped)
            } else {
                Arc::default()
            };
            let size = if is_large { LARGE } else { 4 };
            let piece = Some(Bytes::from(vec![b'x'; size]));
            async move { Ok::<_, Infallible>(Response::new(Large { piece, dropped })) }
        });
        let serving = Serving {
            limits,
            patience,
            ..Serving::default()
        };
        tokio::spawn(serve::http(listener, service, serving, Shutdown::default()));
        Self { address, dropped }
    }

    async fn impatient() -> Self {
        let patience = Patience {
            head: SHORT,
            stalled: SHORT,
            idle: SHORT,
        };
        Self::start(ConnectionLimits::default(), patience).await
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    async fn http2(&self, window: u32) -> SendRequest<Bytes> {
        let mut builder = h2::client::Builder::new();
        builder.initial_window_size(window);
        let (sender, connection) = builder.handshake(self.connect().await).await.unwrap();
        tokio::spawn(connection);
        sender.ready().await.unwrap()
    }

    fn request(&self, path: &str) -> Request<()> {
        let uri = format!("http://{}{path}", self.address);
        Request::get(uri).body(()).unwrap()
    }

    /// The status of an answer on a new connection; none when that is closed without one.
    async fn status(&self, path: &str) -> Option<u16> {
        let mut stream = self.connect().await;
        send(&mut stream, path).await;
        let mut head = [0; 12];
        stream.read_exact(&mut head).await.ok()?;
        std::str::from_utf8(&head[9..]).unwrap().parse().ok()
    }
}

async fn send(stream: &mut TcpStream, path: &str) {
    let request = format!("GET {path} HTTP/1.1\r\nhost: here\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
}

async fn closed(mut stream: TcpStream) {
    let end = async { while matches!(stream.read(&mut [0; 4096]).await, Ok(1..)) {} };
    timeout(LONG, end).await.expect("it is held for ever");
}

#[tokio::test]
async fn who_does_not_say_what_they_speak_is_not_waited_for() {
    let server = Server::impatient().await;
    for first in [b"".as_slice(), b"P", &PREFACE[..12], b"GET / HT"] {
        let mut stream = server.connect().await;
        stream.write_all(first).await.unwrap();
        closed(stream).await;
    }
    assert_eq!(server.status("/").await, Some(200));
}

#[tokio::test]
async fn beyond_the_limit_only_probes_are_answered_however_many_are_silent() {
    let limits = ConnectionLimits {
        total: 20,
        per_address: 3,
    };
    let server = Server::start(limits, Patience::default()).await;
    let mut held = Vec::new();
    for _ in 0..3 {
        let mut stream = server.connect().await;
        send(&mut stream, "/").await;
        stream.read_exact(&mut [0; 12]).await.unwrap();
        held.push(stream);
    }
    assert_eq!(server.status("/").await, Some(503));
    for _ in 0..100 {
        let mut silent = server.connect().await;
        silent.write_all(b"P").await.unwrap();
        held.push(silent);
    }
    for probe in ["/healthz", "/readyz", "/grpc.health.v1.Health/Check"] {
        assert_eq!(server.status(probe).await, Some(200), "{probe}");
    }
    drop(held);
    let free = async { while server.status("/").await != Some(200) {} };
    timeout(LONG, free).await.expect("places are never freed");
}

#[tokio::test]
async fn an_answer_that_nobody_reads_is_not_kept() {
    let server = Server::impatient().await;
    let mut stream = server.connect().await;
    send(&mut stream, "/large").await;
    timeout(LONG, server.dropped.notified()).await.unwrap();
    closed(stream).await;
}

#[tokio::test]
async fn who_reads_slowly_gets_all_of_it() {
    let server = Server::impatient().await;
    let mut stream = server.connect().await;
    send(&mut stream, "/large").await;
    let (mut read, mut part) = (0, vec![0; LARGE / 16]);
    while read < LARGE {
        read += stream.read(&mut part).await.unwrap();
        tokio::time::sleep(SHORT / 10).await;
    }
}

#[tokio::test]
async fn a_stream_without_room_ends_and_others_of_its_connection_do_not() {
    let server = Server::impatient().await;
    let mut sender = server.http2(8).await;
    let (large, _) = sender.send_request(server.request("/large"), true).unwrap();
    let mut large = large.await.unwrap().into_body();
    timeout(LONG, server.dropped.notified()).await.unwrap();

    let (small, _) = sender.send_request(server.request("/"), true).unwrap();
    let small = small.await.unwrap();
    assert_eq!(small.status(), StatusCode::OK);
    let text = small.into_body().data().await.unwrap().unwrap();
    assert_eq!(text.len(), 4);
    assert_eq!(large.data().await.unwrap().unwrap().len(), 8);
    let reset = large.data().await.unwrap().unwrap_err();
    assert_eq!(reset.reason(), Some(h2::Reason::CANCEL));
}

#[tokio::test]
async fn a_large_answer_arrives_whole_over_http_2() {
    let server = Server::impatient().await;
    let mut sender = server.http2(65_535).await;
    let (large, _) = sender.send_request(server.request("/large"), true).unwrap();
    let mut body = large.await.unwrap().into_body();
    let mut read = 0;
    while let Some(data) = body.data().await {
        let data = data.unwrap();
        read += data.len();
        body.flow_control().release_capacity(data.len()).unwrap();
    }
    assert_eq!(read, LARGE);
}

#[tokio::test]
async fn an_idle_connection_ends_although_it_answers_pings() {
    let server = Server::impatient().await;
    let stream = server.connect().await;
    let (sender, connection) = h2::client::handshake(stream).await.unwrap();
    let ended = timeout(LONG, connection).await;
    ended.expect("it is held for ever").unwrap();
    drop::<SendRequest<Bytes>>(sender);
}

#[tokio::test]
async fn a_flood_of_frames_that_carry_nothing_ends_its_connection() {
    const PING: [u8; 17] = [0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8];
    const SETTINGS: [u8; 9] = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    const WINDOW_UPDATE: [u8; 13] = [0, 0, 4, 8, 0, 0, 0, 0, 0, 0, 0, 0, 1];
    let server = Server::start(ConnectionLimits::default(), Patience::default()).await;
    for frame in [PING.as_slice(), &SETTINGS, &WINDOW_UPDATE] {
        let mut stream = server.connect().await;
        stream.write_all(PREFACE).await.unwrap();
        stream.write_all(&SETTINGS).await.unwrap();
        let (mut reader, mut writer) = stream.into_split();
        let answers =
            tokio::spawn(
                async move { while matches!(reader.read(&mut [0; 4096]).await, Ok(1..)) {} },
            );
        let flood = async {
            let frames = frame.repeat(100);
            while writer.write_all(&frames).await.is_ok() {}
        };
        timeout(LONG, flood).await.expect("the flood goes on");
        timeout(LONG, answers).await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn who_goes_on_sending_after_an_error_is_not_read_for_long() {
    const SETTINGS: [u8; 9] = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    // A stream of the server's own numbers, which clients cannot open.
    const WRONG: [u8; 10] = [0, 0, 1, 1, 4, 0, 0, 0, 2, 0x82];
    let server = Server::start(ConnectionLimits::default(), Patience::default()).await;
    let mut stream = server.connect().await;
    stream.write_all(PREFACE).await.unwrap();
    stream.write_all(&SETTINGS).await.unwrap();
    let (mut reader, mut writer) = stream.into_split();
    tokio::spawn(async move { while matches!(reader.read(&mut [0; 4096]).await, Ok(1..)) {} });
    let (mut sent, frames) = (0, WRONG.repeat(1_000));
    let flood = async {
        while writer.write_all(&frames).await.is_ok() {
            sent += frames.len();
        }
    };
    timeout(LONG, flood).await.expect("it is read for ever");
    // What the system buffers is in it.
    assert!(sent < 16 * 1024 * 1024, "{sent} bytes were read");
}
