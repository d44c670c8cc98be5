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
    let (user, password) = server.login();
    let login = format!(r#"{{"verbose":false,"user":"{user}","pass":"{password}"}}"#);
    ping_with(server, &login).await
}

async fn ping_with(server: &Nats, login: &str) -> std::io::Result<String> {
    let mut stream = BufReader::new(TcpStream::connect(server.address()).await?);
    let mut line = String::new();
    stream.read_line(&mut line).await?;
    stream
        .write_all(format!("CONNECT {login}\r\nPING\r\n").as_bytes())
        .await?;
    // It may ask for the same before it answers.
    while line.trim() != "PONG" && !line.starts_with("-ERR") {
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

#[tokio::test]
async fn who_does_not_know_its_password_is_refused_and_no_process_list_shows_it() {
    let server = Nats::start().await;
    let (user, password) = server.login();
    for login in [
        r#"{"verbose":false}"#.to_owned(),
        format!(r#"{{"verbose":false,"user":"{user}","pass":"guess"}}"#),
    ] {
        let answer = ping_with(&server, &login).await.unwrap();
        assert!(answer.contains("Authorization Violation"), "{answer}");
    }
    let arguments = std::fs::read(format!("/proc/{}/cmdline", server.pid()));
    // Only Linux shows them there.
    if let Ok(arguments) = arguments {
        let arguments = String::from_utf8_lossy(&arguments).into_owned();
        assert!(arguments.contains("nats.conf") && !arguments.contains(password));
    }
}
