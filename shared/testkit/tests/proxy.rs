//! A network that misbehaves when it is told to, and not otherwise.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a step that fails fails its test"
)]

use std::{
    io::ErrorKind,
    net::SocketAddr,
    time::{Duration, Instant},
};

use guildhall_testkit::{Mode, Proxy, When};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc,
};

/// A server that answers every byte with itself, and tells what it has read and how it ended.
async fn echo() -> (SocketAddr, mpsc::UnboundedReceiver<Heard>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (tell, heard) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let tell = tell.clone();
            tokio::spawn(async move {
                let (mut all, mut piece) = (Vec::new(), [0; 4096]);
                let end = loop {
                    match stream.read(&mut piece).await {
                        Ok(0) => break None,
                        Ok(count) => {
                            all.extend_from_slice(&piece[..count]);
                            let _ = stream.write_all(&piece[..count]).await;
                        }
                        Err(error) => break Some(error.kind()),
                    }
                };
                let _ = tell.send(Heard { all, end });
            });
        }
    });
    (address, heard)
}

struct Heard {
    all: Vec<u8>,
    end: Option<ErrorKind>,
}

async fn asked(stream: &mut TcpStream, text: &str) -> std::io::Result<String> {
    stream.write_all(text.as_bytes()).await?;
    let mut answer = vec![0; text.len()];
    stream.read_exact(&mut answer).await?;
    Ok(String::from_utf8(answer).unwrap())
}

#[tokio::test]
async fn bytes_pass_both_ways_and_so_does_the_end() {
    let (server, mut heard) = echo().await;
    let proxy = Proxy::start(server).await;
    let stream = TcpStream::connect(proxy.address()).await.unwrap();
    let (mut read, mut write) = stream.into_split();
    let megabytes = vec![7; 8 << 20];
    let sent = tokio::spawn({
        let megabytes = megabytes.clone();
        async move {
            write.write_all(&megabytes).await.unwrap();
            write.shutdown().await.unwrap();
        }
    });
    let mut back = Vec::new();
    read.read_to_end(&mut back).await.unwrap();
    sent.await.unwrap();
    assert!(back == megabytes);
    let heard = heard.recv().await.unwrap();
    assert!(heard.all == megabytes && heard.end.is_none());
    assert_eq!(proxy.accepted(), 1);
}

#[tokio::test]
async fn a_delay_counts_each_way_and_does_not_add_up() {
    let (server, _heard) = echo().await;
    let proxy = Proxy::start(server).await;
    let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
    let delay = Duration::from_millis(100);
    proxy.set(Mode::Delay(delay));
    let begin = Instant::now();
    asked(&mut stream, "hello").await.unwrap();
    assert!(begin.elapsed() >= 2 * delay, "{:?}", begin.elapsed());
    // Many pieces at once are late together, not one after the other.
    let begin = Instant::now();
    let long = "x".repeat(500_000);
    asked_at_once(&mut stream, &long).await;
    assert!(begin.elapsed() >= 2 * delay, "{:?}", begin.elapsed());
    assert!(begin.elapsed() < 15 * delay, "{:?}", begin.elapsed());
}

async fn asked_at_once(stream: &mut TcpStream, text: &str) {
    let (mut read, mut write) = stream.split();
    let mut answer = vec![0; text.len()];
    let (sent, read) = tokio::join!(
        write.write_all(text.as_bytes()),
        read.read_exact(&mut answer)
    );
    sent.unwrap();
    read.unwrap();
}

#[tokio::test]
async fn a_blackhole_keeps_what_it_swallows_for_later() {
    let (server, _heard) = echo().await;
    let proxy = Proxy::start(server).await;
    let mut old = TcpStream::connect(proxy.address()).await.unwrap();
    asked(&mut old, "before").await.unwrap();
    proxy.set(Mode::Blackhole);
    let mut new = TcpStream::connect(proxy.address()).await.unwrap();
    for stream in [&mut old, &mut new] {
        let answer = tokio::time::timeout(Duration::from_millis(200), asked(stream, "late"));
        assert!(answer.await.is_err(), "nothing comes back");
    }
    proxy.set(Mode::Pass);
    for stream in [&mut old, &mut new] {
        let mut answer = [0; 4];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"late");
    }
}

#[tokio::test]
async fn a_blackhole_holds_little() {
    let (server, _heard) = echo().await;
    let proxy = Proxy::start(server).await;
    proxy.set(Mode::Blackhole);
    let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
    let megabytes = vec![0; 64 << 20];
    let flood = stream.write_all(&megabytes);
    let flood = tokio::time::timeout(Duration::from_secs(1), flood).await;
    assert!(flood.is_err(), "it took 64 MiB that nobody reads");
}

#[tokio::test]
async fn who_is_refused_is_reset_and_the_others_go_on() {
    let (server, _heard) = echo().await;
    let proxy = Proxy::start(server).await;
    let mut old = TcpStream::connect(proxy.address()).await.unwrap();
    asked(&mut old, "before").await.unwrap();
    proxy.set(Mode::Refuse);
    let mut new = TcpStream::connect(proxy.address()).await.unwrap();
    let error = asked(&mut new, "hello").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    assert_eq!(asked(&mut old, "on").await.unwrap(), "on");
}

#[tokio::test]
async fn all_connections_are_reset_on_both_sides() {
    let (server, mut heard) = echo().await;
    let proxy = Proxy::start(server).await;
    let mut streams = Vec::new();
    for _ in 0..3 {
        let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
        asked(&mut stream, "hello").await.unwrap();
        streams.push(stream);
    }
    proxy.reset_all();
    for stream in &mut streams {
        let error = stream.read_u8().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        let heard = heard.recv().await.unwrap();
        assert_eq!(heard.end, Some(ErrorKind::ConnectionReset));
    }
    let mut new = TcpStream::connect(proxy.address()).await.unwrap();
    assert_eq!(asked(&mut new, "again").await.unwrap(), "again");
}

#[tokio::test]
async fn a_word_cuts_its_connection_once() {
    for (when, arrives) in [
        (When::BeforeForwarding, false),
        (When::AfterForwarding, true),
        (When::BeforeAnswering, true),
    ] {
        let (server, mut heard) = echo().await;
        let proxy = Proxy::start(server).await;
        let mut bystander = TcpStream::connect(proxy.address()).await.unwrap();
        let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
        let cut = proxy.reset_when(b"COMMIT", when);
        assert_eq!(
            asked(&mut stream, "INSERT COM").await.unwrap(),
            "INSERT COM"
        );
        // The word is found though it comes in two pieces.
        let error = asked(&mut stream, "MIT;").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{when:?}");
        cut.await;
        let heard = heard.recv().await.unwrap();
        let all = String::from_utf8(heard.all).unwrap();
        assert_eq!(
            all,
            if arrives {
                "INSERT COMMIT;"
            } else {
                "INSERT COM"
            },
            "{when:?}"
        );
        assert_eq!(
            asked(&mut bystander, "COMMIT;").await.unwrap(),
            "COMMIT;",
            "only once"
        );
    }
}
