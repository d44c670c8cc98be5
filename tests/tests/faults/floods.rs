//! Strangers and slow clients that hold what they can: others go on, and memory does not grow.

use std::{fs, time::Duration};

use bytes::Bytes;
use guildhall_testkit::{Options, Platform, grpc::connect};
use h2::{
    SendStream,
    client::{ResponseFuture, SendRequest},
};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    time::{Instant, sleep, timeout},
};
use tonic::Code;
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

/// What memory may grow by, in MiB.
const GROWTH: u64 = 64;
/// How long it is watched.
const WATCHED: Duration = Duration::from_secs(5);
const LONG: Duration = Duration::from_secs(60);

/// Memory that belongs to a process alone, MiB.
fn memory(platform: &Platform) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", platform.pid())).unwrap();
    let mut lines = status.lines();
    let line = lines.find_map(|line| line.strip_prefix("RssAnon:"));
    let kibibytes = line.unwrap().trim().trim_end_matches(" kB");
    kibibytes.parse::<u64>().unwrap() / 1024
}

/// The most that the platform takes in a while.
async fn most_memory(platform: &Platform) -> u64 {
    let (began, mut most) = (Instant::now(), 0);
    while began.elapsed() < WATCHED {
        most = most.max(memory(platform));
        sleep(Duration::from_millis(100)).await;
    }
    most
}

/// A connection from another address of this machine than all others use.
async fn elsewhere(url: &str) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.2:0".parse().unwrap()).unwrap();
    socket.connect(address(url)).await.unwrap()
}

fn address(url: &str) -> std::net::SocketAddr {
    url.trim_start_matches("http://").parse().unwrap()
}

/// The status of a request on a connection.
async fn status(mut stream: TcpStream, request: &str) -> u16 {
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut head = [0; 12];
    stream.read_exact(&mut head).await.unwrap();
    std::str::from_utf8(&head[9..]).unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_thousand_silent_connections_keep_out_nobody() {
    let args = ["--max-connections", "600"].map(str::to_owned).to_vec();
    let options = Options {
        args,
        ..Options::default()
    };
    let platform = Platform::start_with(options).await;
    let mut held = Vec::new();
    for url in [platform.http(), platform.grpc()] {
        for first in [b"P".as_slice(), b"PRI * HTTP/2"] {
            for _ in 0..250 {
                let mut stream = TcpStream::connect(address(url)).await.unwrap();
                // It may have been closed for a newer one already.
                let _ = stream.write_all(first).await;
                held.push(stream);
            }
        }
    }
    let probe = TcpStream::connect(address(platform.http())).await.unwrap();
    let probed = status(probe, "GET /healthz HTTP/1.1\r\nhost: here\r\n\r\n");
    assert_eq!(timeout(Duration::from_secs(2), probed).await.unwrap(), 200);

    let request = "GET /v1/messages HTTP/1.1\r\nhost: here\r\n\r\n";
    let others = status(elsewhere(platform.http()).await, request);
    let others = timeout(Duration::from_secs(2), others).await.unwrap();
    assert_eq!(others, 401, "who comes from elsewhere is served");

    // All of them are ended within the time for a first request.
    for mut stream in held {
        let end = async { while matches!(stream.read(&mut [0; 64]).await, Ok(1..)) {} };
        timeout(LONG, end).await.expect("held for ever");
    }
}

/// A call of gRPC whose message is announced, begun, and never ended.
async fn half_sent(
    sender: &mut SendRequest<Bytes>,
    uri: &str,
    credential: Option<&str>,
    announced: u32,
) -> (ResponseFuture, SendStream<Bytes>) {
    let mut request = http::Request::post(uri)
        .header("content-type", "application/grpc")
        .header("te", "trailers");
    if let Some(credential) = credential {
        request = request.header("authorization", credential);
    }
    let ready = sender.clone().ready().await.unwrap();
    *sender = ready;
    let (answer, mut body) = sender
        .send_request(request.body(()).unwrap(), false)
        .unwrap();
    let prefix = [&[0], announced.to_be_bytes().as_slice()].concat();
    let message = vec![0; announced as usize - 1];
    // What has no room yet waits for it in the client.
    let _ = body.send_data(Bytes::from([prefix, message].concat()), false);
    (answer, body)
}

#[tokio::test]
async fn half_sent_messages_of_grpc_do_not_add_up() {
    let platform = Platform::start().await;
    let before = memory(&platform);
    let key = format!("Bearer {}", platform.demo().api_key);
    let calls = [
        ("webhooks.v1.WorkflowService/ReceiveEvent", None, 128 * 1024),
        (
            "messaging.v1.MessageService/SendMessage",
            Some(key.as_str()),
            1024 * 1024,
        ),
    ];
    for (method, credential, announced) in calls {
        let uri = format!("{}/guildhall.{method}", platform.grpc());
        let mut held = Vec::new();
        for _ in 0..3 {
            let stream = TcpStream::connect(address(platform.grpc())).await.unwrap();
            let (mut sender, connection) = h2::client::handshake(stream).await.unwrap();
            tokio::spawn(connection);
            for _ in 0..200 {
                held.push(half_sent(&mut sender, &uri, credential, announced).await);
            }
        }
        let most = most_memory(&platform).await;
        assert!(
            most < before + GROWTH,
            "{method}: {before} MiB, then {most}"
        );
        // Another community's callers, and strangers from elsewhere, are not kept waiting.
        let began = Instant::now();
        let name = format!("Beside {}", method.len());
        let other = platform.bootstrap(&name, "owner@others.example").await;
        let channels = platform.rest().get("/v1/channels").bearer(&other.api_key);
        channels.send().await.expect(200);
        assert!(began.elapsed() < Duration::from_secs(10));
    }
}

#[tokio::test]
async fn streams_that_need_no_credential_are_few_for_an_address() {
    let options = Options {
        demo: false,
        ..Options::default()
    };
    let platform = Platform::start_with(options).await;
    let mut health = HealthClient::new(connect(platform.grpc()).await);
    let mut held = Vec::new();
    let refused = loop {
        match health.watch(HealthCheckRequest::default()).await {
            Ok(stream) => held.push(stream),
            Err(refused) => break refused,
        }
    };
    assert_eq!((held.len(), refused.code()), (100, Code::ResourceExhausted));
    let check = health.check(HealthCheckRequest::default()).await;
    check.expect("a check is no stream");
}

#[tokio::test]
async fn half_sent_bodies_to_public_routes_delay_no_caller() {
    let platform = Platform::start().await;
    let (demo, before) = (platform.demo(), memory(&platform));
    let path = &demo.incoming_webhook.path;
    let mut held = Vec::new();
    for _ in 0..200 {
        let mut stream = TcpStream::connect(address(platform.http())).await.unwrap();
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: here\r\ncontent-type: application/json\r\n\
             transfer-encoding: chunked\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x10000));
        stream.write_all(chunk.as_bytes()).await.unwrap();
        held.push(stream);
    }
    let body = json!({
        "message": "x".repeat(4_000), "sender": demo.users[0].username,
        "channelId": demo.channel("general"), "metadata": {}, "note": "y".repeat(16_000)
    });
    for _ in 0..5 {
        let began = Instant::now();
        let send = platform
            .rest()
            .post("/v1/messages/send")
            .bearer(&demo.api_key);
        let sent = send.json(&body).send().await;
        assert_eq!(sent.status, 200, "{}", sent.body);
        let took = began.elapsed();
        assert!(took < Duration::from_secs(1), "{took:?}");
    }
    let most = most_memory(&platform).await;
    assert!(most < before + GROWTH, "{before} MiB, then {most}");

    // A stranger from elsewhere has a share of their own.
    let call = format!(
        "POST {path} HTTP/1.1\r\nhost: here\r\ncontent-type: application/json\r\n\
         content-length: 2\r\n\r\n{{}}"
    );
    let answered = status(elsewhere(platform.http()).await, &call);
    let answered = timeout(Duration::from_secs(2), answered).await.unwrap();
    assert_eq!(answered, 401);
}

#[tokio::test]
async fn answers_that_nobody_reads_are_let_go() {
    let platform = Platform::start().await;
    let demo = platform.demo();
    let channel = demo.channel("general");
    for _ in 0..100 {
        let send = platform
            .rest()
            .post("/v1/messages/send")
            .bearer(&demo.api_key);
        let body = json!({
            "message": "\u{1F980}".repeat(9_000), "sender": demo.users[0].username, "channelId": channel
        });
        send.json(&body).send().await.expect(200);
    }
    let before = memory(&platform);
    let key = &demo.api_key;
    let list = format!(
        "GET /v1/messages?count=100&channel_id={channel} HTTP/1.1\r\nhost: here\r\n\
         authorization: Bearer {key}\r\n\r\n"
    );
    let document = "GET /v1/openapi.json HTTP/1.1\r\nhost: here\r\n\r\n".to_owned();
    let mut held = Vec::new();
    for request in std::iter::repeat_n(list, 150).chain(std::iter::repeat_n(document, 150)) {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4 * 1024).unwrap();
        let mut stream = socket.connect(address(platform.http())).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        held.push(stream);
    }
    let began = Instant::now();
    while memory(&platform) > before + GROWTH || began.elapsed() < WATCHED {
        let took = memory(&platform);
        assert!(began.elapsed() < LONG, "{before} MiB, and still {took}");
        sleep(Duration::from_millis(100)).await;
    }
    // Their connections are over, too.
    for mut stream in held {
        let end = async { while matches!(stream.read(&mut [0; 65536]).await, Ok(1..)) {} };
        timeout(LONG, end).await.expect("held for ever");
    }
}
