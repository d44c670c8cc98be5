//! A start that is quick, and a stop that loses nothing.

use std::time::{Duration, Instant};

use guildhall_proto::messaging::v1::{
    WatchMessagesRequest, message_service_client::MessageServiceClient,
};
use guildhall_testkit::{Options, Platform, grpc::signed};
use guildhall_tests::Community;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// How long a start may take: a second for those who run it, more without optimisation.
const START: Duration = Duration::from_secs(if cfg!(debug_assertions) { 15 } else { 1 });

#[tokio::test]
async fn the_platform_is_ready_within_a_second() {
    let plain = Options {
        demo: false,
        ..Options::default()
    };
    let platform = Platform::start_with(plain).await;
    assert!(platform.started_in() < START, "{:?}", platform.started_in());
    assert_eq!(platform.rest().get("/readyz").send().await.status, 200);
    let platform = Platform::start().await;
    assert!(
        platform.started_in() < START,
        "{:?} with demo data",
        platform.started_in()
    );
    assert_eq!(platform.demo().base_url, platform.http());
    assert_eq!(platform.demo().grpc_url, platform.grpc());
    let platform = platform.kill_and_restart().await;
    assert!(
        platform.started_in() < START,
        "{:?} after a kill",
        platform.started_in()
    );
}

#[tokio::test]
async fn a_request_under_way_is_finished_before_the_stop() {
    let community = Community::alone().await;
    let general = community.demo.channel("general").to_owned();
    let body =
        json!({ "channelId": general, "message": "Last words", "sender": "ada" }).to_string();
    let (first, second) = body.split_at(body.len() / 2);
    let address = community
        .platform
        .http()
        .trim_start_matches("http://")
        .to_owned();
    let mut connection = TcpStream::connect(&address).await.unwrap();
    let head = format!(
        "POST /v1/messages/send HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{first}",
        community.demo.api_key,
        body.len()
    );
    connection.write_all(head.as_bytes()).await.unwrap();
    // Another request answered means that this one was accepted before it.
    community.integrator().get("/v1/channels").await.expect(200);

    let platform = community.platform.embedded();
    platform.terminate().await;
    let refused = async || {
        while TcpStream::connect(&address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), refused())
        .await
        .expect("no new connections");
    connection.write_all(second.as_bytes()).await.unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    assert!(answer.contains("Message send successfully"), "{answer}");

    let demo = community.demo;
    let (status, _) = platform.wait().await;
    assert!(status.success(), "{status}");
    assert_eq!(demo.channel("general"), general);
}

#[tokio::test]
async fn a_live_stream_and_an_idle_connection_do_not_hold_the_stop() {
    let community = Community::alone().await;
    let request = WatchMessagesRequest {
        channel: community.demo.channel("general").to_owned(),
        after_seq: None,
    };
    let request = signed(request, &format!("Bearer {}", community.demo.api_key));
    let mut messages = MessageServiceClient::new(community.services.clone());
    let mut stream = messages.watch_messages(request).await.unwrap().into_inner();
    let address = community
        .platform
        .http()
        .trim_start_matches("http://")
        .to_owned();
    let idle = TcpStream::connect(&address).await.unwrap();
    let begin = Instant::now();
    let (status, log) = community.platform.embedded().stop().await;
    assert!(status.success(), "{status}: {log}");
    assert!(
        begin.elapsed() < Duration::from_secs(5),
        "{:?}",
        begin.elapsed()
    );
    let ended = stream.message().await;
    assert!(!matches!(ended, Ok(Some(_))), "nothing but an end");
    drop(idle);
}

#[tokio::test]
async fn what_was_sent_before_the_stop_is_there_after_it() {
    let community = Community::alone().await;
    let general = community.demo.channel("general").to_owned();
    let id = community.send(&general, "ada", "Good night").await;
    let platform = community
        .platform
        .embedded()
        .restart_with(Options::default())
        .await;
    let community = Community::around(platform).await;
    assert_eq!(community.messages(&general).await[0]["id"], id);
}
