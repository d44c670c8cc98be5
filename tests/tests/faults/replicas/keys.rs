//! One Idempotency-Key at several replicas at once.

use std::{collections::HashSet, time::Duration};

use futures::future::join_all;
use guildhall_testkit::Cluster;
use guildhall_tests::{Acknowledged, Ledger, Outcome};
use serde_json::json;
use tonic::Code;

use super::{
    REPLICAS,
    fixture::{EntryPoint, Fixture, message_to_send, text_of},
};

const KEYS: usize = 60;
const TIMEOUT: Duration = Duration::from_secs(30);
/// How long a client rests who is told that its key is in flight.
const PAUSE: Duration = Duration::from_millis(10);

/// Sends under a key until it is acknowledged; the id, and how often the key was in flight.
async fn send_until_acknowledged(
    fixture: &Fixture,
    entry_point: &EntryPoint,
    key: &str,
) -> (String, usize) {
    let mut in_flight = 0;
    loop {
        if let Some(id) = send(fixture, entry_point, key).await {
            return (id, in_flight);
        }
        in_flight += 1;
        tokio::time::sleep(PAUSE).await;
    }
}

/// Sends a message whose text is its key; its id, or none when the key is in flight.
async fn send(fixture: &Fixture, entry_point: &EntryPoint, key: &str) -> Option<String> {
    let channel = &fixture.channels[0];
    match entry_point {
        EntryPoint::Rest(rest) => {
            let body = json!({ "channelId": channel, "message": key, "sender": "ada" });
            let call = rest.post("/v1/messages/send").bearer(&fixture.key);
            let answer = call.idempotency_key(key).json(&body).send().await;
            let stored = answer.status != 409;
            stored.then(|| text_of(&answer.expect(200)["data"]["messageId"]))
        }
        EntryPoint::Grpc(messages) => {
            let mut request = fixture.signed(message_to_send(channel, "ada", key));
            let metadata = request.metadata_mut();
            metadata.insert("idempotency-key", key.parse().unwrap());
            match messages.clone().send_message(request).await {
                Ok(answer) => Some(answer.into_inner().message.unwrap().id),
                Err(status) => {
                    assert_eq!(status.code(), Code::AlreadyExists, "{status:?}");
                    None
                }
            }
        }
    }
}

#[tokio::test]
async fn one_key_at_all_doors_at_once_is_one_message() {
    let cluster = Cluster::start_with(super::plan(REPLICAS)).await;
    let fixture = Fixture::of(&cluster).await;
    let entry_points = fixture.entry_points();
    let (mut acknowledged, mut in_flight) = (Vec::new(), 0);
    for n in 0..KEYS {
        let key = format!("key-{n}");
        let sends = entry_points
            .iter()
            .map(|entry_point| send_until_acknowledged(&fixture, entry_point, &key));
        let sent = tokio::time::timeout(TIMEOUT, join_all(sends)).await;
        let sent = sent.expect("everybody gets it in the end");
        let ids: HashSet<_> = sent.iter().map(|(id, _)| id.clone()).collect();
        assert_eq!(ids.len(), 1, "{sent:?}");
        in_flight += sent.iter().map(|(_, times)| times).sum::<usize>();
        acknowledged.extend(ids.into_iter().map(|id| Acknowledged {
            writer: 0,
            text: key.clone(),
            id,
        }));
    }
    let ledger = Ledger::of(&cluster).await;
    let outcome = ledger.outcome(&fixture.channels, &acknowledged);
    println!(
        "one key at {} entry_points at once: keys {KEYS}, in flight elsewhere {in_flight}, lost {}, \
         doubled {}",
        entry_points.len(),
        outcome.lost,
        outcome.doubled,
    );
    assert_eq!(outcome, Outcome::CLEAN);
    ledger.assert_sound();
}
