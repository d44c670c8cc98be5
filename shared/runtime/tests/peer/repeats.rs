//! What is sent again, and how often.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use bytes::Bytes;
use guildhall_runtime::{Reason, peer::Address};
use http::Response;
use tokio::net::TcpListener;

use crate::fixture::{
    Behaviour, Server, assert_in_doubt, assert_unreachable, call, call_repeatably, peer,
};

/// 10 a second over the 10 seconds that the budget looks at.
const RESERVE: usize = 100;

#[tokio::test]
async fn an_outage_is_not_multiplied() {
    let server = Server::start(Behaviour::Vague).await;
    let peer = peer([server.address()]);
    for _ in 0..300 {
        assert_unreachable(&call_repeatably(&peer).await.unwrap_err());
    }
    // Three tries a call would be 900.
    assert_eq!(server.asked(), 300 + RESERVE);
}

#[tokio::test]
async fn a_call_is_tried_three_times_at_most() {
    let server = Server::start(Behaviour::Vague).await;
    let peer = peer([server.address()]);
    assert_unreachable(&call_repeatably(&peer).await.unwrap_err());
    assert_eq!(server.asked(), 3);
    assert_in_doubt(&call(&peer).await.unwrap_err());
    assert_eq!(server.asked(), 4, "once when it may not be repeated");
}

#[tokio::test]
async fn a_service_that_says_when_to_try_again_is_not_asked_before() {
    let server = Server::start(Behaviour::Overloaded).await;
    let peer = peer([server.address()]);
    let error = call_repeatably(&peer).await.unwrap_err();
    assert_eq!(error.reason(), Reason::Overloaded);
    assert_eq!(server.asked(), 1);
}

#[tokio::test]
async fn who_calls_once_does_not_hear_that_their_call_is_under_way() {
    let server = Server::start(Behaviour::LostThenInFlight).await;
    call_repeatably(&peer([server.address()])).await.unwrap();
    assert_eq!(server.asked(), 3);
    let server = Server::start(Behaviour::InFlight).await;
    let error = call_repeatably(&peer([server.address()]))
        .await
        .unwrap_err();
    // Nothing of this call was lost: it is another one that is under way.
    assert_eq!(error.reason(), Reason::IdempotencyInFlight);
    assert_eq!(server.asked(), 1);
}

#[tokio::test]
async fn what_a_server_did_not_take_up_is_sent_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address: Address = format!("http://{}", listener.local_addr().unwrap())
        .parse()
        .unwrap();
    let refusing = tokio::spawn(refuse_first(listener));
    call(&peer([address])).await.unwrap();
    refusing.abort();
}

/// A server that does not take up its first call, and answers all others.
async fn refuse_first(listener: TcpListener) {
    let refused = Arc::new(AtomicBool::new(false));
    loop {
        let (socket, _) = listener.accept().await.unwrap();
        let refused = Arc::clone(&refused);
        tokio::spawn(async move {
            let mut connection = h2::server::handshake(socket).await.unwrap();
            let mut count = 0;
            while let Some(Ok((_request, mut respond))) = connection.accept().await {
                count += 1;
                // The first is the peer's own question whether somebody is there.
                if count > 1 && !refused.swap(true, Ordering::Relaxed) {
                    respond.send_reset(h2::Reason::REFUSED_STREAM);
                    continue;
                }
                let answer = Response::builder().header("content-type", "application/grpc");
                let mut body = respond
                    .send_response(answer.body(()).unwrap(), false)
                    .unwrap();
                body.send_data(Bytes::from_static(&[0; 5]), false).unwrap();
                let mut trailers = http::HeaderMap::new();
                trailers.insert("grpc-status", http::HeaderValue::from_static("0"));
                body.send_trailers(trailers).unwrap();
            }
        });
    }
}
