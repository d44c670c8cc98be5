//! Replicas that are not there, or do not say so.

use std::time::Duration;

use guildhall_runtime::{Reason, peer::Address};
use tokio::{net::TcpListener, time::Instant};

use crate::fixture::{Behaviour, Server, assert_unreachable, call, call_within, peer};

/// A listener that takes connections and never says anything.
async fn black_hole() -> (TcpListener, Address) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    (listener, address.parse().unwrap())
}

/// An address that refuses connections.
async fn nobody() -> Address {
    let (listener, address) = black_hole().await;
    drop(listener);
    address
}

#[tokio::test]
async fn nobody_there_is_an_error_in_time() {
    let began = Instant::now();
    let error = call(&peer([nobody().await])).await.unwrap_err();
    assert_unreachable(&error);
    assert!(began.elapsed() < Duration::from_secs(4));
}

#[tokio::test]
async fn a_black_hole_is_an_error_in_time() {
    let (_listener, address) = black_hole().await;
    let peer = peer([address]);
    let began = Instant::now();
    assert_unreachable(&call(&peer).await.unwrap_err());
    assert!(began.elapsed() < Duration::from_secs(4));

    let began = Instant::now();
    let error = call_within(&peer, Duration::from_millis(200)).await;
    assert_eq!(error.unwrap_err().reason(), Reason::DeadlineExceeded);
    assert!(began.elapsed() < Duration::from_secs(2));
}

#[tokio::test]
async fn a_black_hole_among_the_replicas_costs_nobody_a_call() {
    let (_listener, hole) = black_hole().await;
    let server = Server::start(Behaviour::Answer).await;
    let peer = peer([hole, nobody().await, server.address()]);
    let began = Instant::now();
    for _ in 0..50 {
        call(&peer).await.unwrap();
    }
    assert_eq!(server.asked(), 50);
    assert!(began.elapsed() < Duration::from_secs(2));
}

#[tokio::test]
async fn a_handler_that_hangs_ends_at_the_callers_deadline() {
    let server = Server::start(Behaviour::Hang).await;
    let peer = peer([server.address()]);
    let began = Instant::now();
    let error = call_within(&peer, Duration::from_millis(300))
        .await
        .unwrap_err();
    assert_eq!(error.reason(), Reason::DeadlineExceeded);
    assert!(error.retry_delay().is_some());
    assert!(began.elapsed() < Duration::from_secs(2));
    assert_eq!(server.asked(), 1);
}

#[tokio::test]
async fn the_wire_carries_the_time_that_is_left() {
    let server = Server::start(Behaviour::Answer).await;
    // Its connections are being made while the call's time runs already.
    let peer = peer([nobody().await, server.address()]);
    let answer = call_within(&peer, Duration::from_secs(300)).await.unwrap();
    let seen = answer.metadata().get("seen-timeout").unwrap();
    let millis = seen.to_str().unwrap().strip_suffix('m').unwrap();
    let millis: u64 = millis.parse().unwrap();
    assert!((20_000..=30_000).contains(&millis), "{millis}");

    let answer = call(&peer).await.unwrap();
    assert!(answer.metadata().get("seen-timeout").is_none());
}
