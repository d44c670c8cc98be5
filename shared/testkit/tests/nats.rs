//! The real NATS server, and what a test does to it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a step that fails fails its test"
)]

use std::time::Duration;

use guildhall_testkit::Nats;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
};

/// Connects and asks for a sign of life, as the protocol's text says it.
async fn ping(server: &Nats) -> std::io::Result<String> {
    let mut stream = BufReader::new(TcpStream::connect(server.address()).await?);
    let mut line = String::new();
    stream.read_line(&mut line).await?;
    stream
        .write_all(b"CONNECT {\"verbose\":false}\r\nPING\r\n")
        .await?;
    // It may ask for the same before it answers.
    while line.trim() != "PONG" {
        line.clear();
        assert_ne!(stream.read_line(&mut line).await?, 0, "it hung up");
    }
    Ok(line)
}

#[tokio::test]
async fn it_dies_and_comes_back_at_its_address() {
    let mut server = Nats::away().await;
    let url = server.url();
    assert!(ping(&server).await.is_err(), "it is not there yet");
    server.start_again().await;
    assert_eq!(ping(&server).await.unwrap().trim(), "PONG");
    server.kill9().await;
    assert!(ping(&server).await.is_err(), "it is dead");
    server.start_again().await;
    assert_eq!(ping(&server).await.unwrap().trim(), "PONG");
    server.stop().await;
    assert_eq!(server.url(), url);
}

#[tokio::test]
async fn it_stands_still_and_goes_on() {
    let server = Nats::start().await;
    server.pause().await;
    let silent = tokio::time::timeout(Duration::from_millis(200), ping(&server)).await;
    assert!(
        silent.is_err(),
        "a process that stands still answers nothing"
    );
    server.resume().await;
    assert_eq!(ping(&server).await.unwrap().trim(), "PONG");
}
