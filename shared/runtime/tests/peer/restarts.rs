//! Replicas come and go.

use std::time::Duration;

use futures::{StreamExt, stream::FuturesUnordered};
use guildhall_runtime::{Peer, Result};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::fixture::{
    Behaviour, Server, assert_in_doubt, assert_unreachable, call, call_repeatably, peer, watch,
};

/// Callers that must not be repeated, each calling as fast as it is answered; how many calls were
/// made in the end.
struct Load {
    callers: JoinSet<Result<usize>>,
    enough: CancellationToken,
}

impl Load {
    fn start(peer: &Peer, callers: usize) -> Self {
        let enough = CancellationToken::new();
        let callers = (0..callers).map(|_| {
            let (peer, enough) = (peer.clone(), enough.clone());
            async move {
                let mut made = 0;
                while !enough.is_cancelled() {
                    call(&peer).await?;
                    made += 1;
                }
                Ok(made)
            }
        });
        Self {
            callers: callers.collect(),
            enough,
        }
    }

    async fn finish(self) -> usize {
        self.enough.cancel();
        let made = self.callers.join_all().await;
        made.into_iter().map(Result::unwrap).sum()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_that_stop_one_after_the_other_under_load_lose_no_call() {
    let behaviour = Behaviour::Slow(Duration::from_millis(2));
    let one = Server::start(behaviour).await;
    let two = Server::start(behaviour).await;
    let load = Load::start(&peer([one.address(), two.address()]), 128);

    one.was_asked(500).await;
    let at = one.socket;
    let mut seen = one.stop().await;
    let one = Server::start_at(at, behaviour).await;
    two.was_asked(1000).await;
    seen += two.stop().await;
    one.was_asked(500).await;

    let made = load.finish().await;
    seen += one.asked();
    assert_eq!(
        made, seen,
        "each call was answered, and reached a server once"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_wait_while_the_only_replica_restarts() {
    let server = Server::start(Behaviour::Answer).await;
    let load = Load::start(&peer([server.address()]), 64);
    server.was_asked(500).await;
    let at = server.socket;
    let mut seen = server.stop().await;
    let server = Server::start_at(at, Behaviour::Answer).await;
    server.was_asked(500).await;
    let made = load.finish().await;
    seen += server.asked();
    assert_eq!(made, seen);
}

#[tokio::test]
async fn another_replica_takes_over_from_one_that_is_killed() {
    let one = Server::start(Behaviour::Hang).await;
    let other = Server::start(Behaviour::Answer).await;
    let (at, address) = (other.socket, other.address());
    // All calls go to the one that is there.
    other.kill().await;
    let peer = peer([one.address(), address]);
    let calls: FuturesUnordered<_> = (0..8).map(|_| call_repeatably(&peer)).collect();
    let killed = async {
        one.was_asked(8).await;
        let two = Server::start_at(at, Behaviour::Answer).await;
        one.kill().await;
        two
    };
    let (answers, two) = tokio::join!(calls.collect::<Vec<_>>(), killed);
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    assert_eq!(two.asked(), 8);
}

#[tokio::test]
async fn what_may_not_be_repeated_is_sent_once() {
    let one = Server::start(Behaviour::Hang).await;
    let peer = peer([one.address()]);
    let asking = tokio::spawn({
        let peer = peer.clone();
        async move { call(&peer).await }
    });
    one.was_asked(1).await;
    let at = one.socket;
    one.kill().await;
    let two = Server::start_at(at, Behaviour::Answer).await;

    assert_in_doubt(&asking.await.unwrap().unwrap_err());
    call(&peer).await.unwrap();
    assert_eq!(two.asked(), 1, "the call after it, and not the lost one");
}

#[tokio::test]
async fn a_stream_that_breaks_is_not_begun_again() {
    let one = Server::start(Behaviour::Answer).await;
    let peer = peer([one.address()]);
    let mut stream = watch(&peer).await.unwrap();
    stream.message().await.unwrap().unwrap();
    let at = one.socket;
    one.kill().await;
    let two = Server::start_at(at, Behaviour::Answer).await;

    assert_unreachable(&stream.message().await.unwrap_err().into());
    call(&peer).await.unwrap();
    assert_eq!(two.asked(), 1, "the call after it, and not the stream");
}
