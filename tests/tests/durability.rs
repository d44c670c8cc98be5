//! What was acknowledged is there after kill −9, once.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a step that fails fails its test"
)]

use std::{collections::HashMap, sync::Arc, time::Duration};

use guildhall_proto::messaging::v1::{
    WatchMessagesRequest, message_service_client::MessageServiceClient,
};
use guildhall_testkit::{Rest, Stack, grpc::signed};
use guildhall_tests::Town;
use serde_json::json;
use tokio::sync::{mpsc, watch};

const WRITERS: usize = 8;
const ROUNDS: usize = 3;
/// Acknowledged messages between two kills.
const PER_ROUND: usize = 60;

/// One message of a writer: its text names it, and its Idempotency-Key is its text.
#[derive(Debug)]
struct Acknowledged {
    text: String,
    id: String,
}

struct Writer {
    name: usize,
    channel: String,
    key: String,
    /// Where the platform is, which changes with every restart; empty when the test is over.
    address: watch::Receiver<Option<String>>,
    acknowledged: mpsc::UnboundedSender<Acknowledged>,
}

impl Writer {
    /// Writes until the test is over, and repeats each message until it is acknowledged.
    async fn run(mut self) {
        for n in 0.. {
            let text = format!("writer {} message {n}", self.name);
            loop {
                let Some(address) = self.address.borrow_and_update().clone() else {
                    return;
                };
                if let Some(id) = self.send(&address, &text).await {
                    let acknowledged = Acknowledged { text, id };
                    self.acknowledged.send(acknowledged).unwrap();
                    break;
                }
                // The platform is dead: the next address comes with the next one.
                if self.address.has_changed().is_ok_and(|changed| !changed) {
                    let _ = tokio::time::timeout(Duration::from_millis(50), self.address.changed())
                        .await;
                }
            }
        }
    }

    /// The message's id, when it is acknowledged.
    async fn send(&self, address: &str, text: &str) -> Option<String> {
        let body = json!({ "channelId": self.channel, "message": text, "sender": "ada" });
        let call = Rest::new(address)
            .post("/v1/messages/send")
            .bearer(&self.key);
        let answer = call
            .idempotency_key(text)
            .json(&body)
            .try_send()
            .await
            .ok()?;
        match answer.status {
            200 => Some(
                answer.json()["data"]["messageId"]
                    .as_str()
                    .unwrap()
                    .to_owned(),
            ),
            // Under way, or the process is about to die.
            409 | 503 => None,
            _ => panic!("{answer:?}"),
        }
    }
}

#[tokio::test]
async fn every_acknowledged_message_survives_a_kill_once() {
    let town = Town::start().await;
    let channel = town
        .channel(&json!({ "topic": "Busy", "channelType": "open" }))
        .await;
    let key = town.demo.api_key.clone();
    let (address, receiver) = watch::channel(Some(town.platform.http().to_owned()));
    let (sender, mut acknowledged) = mpsc::unbounded_channel();
    let writers: Vec<_> = (0..WRITERS)
        .map(|name| {
            let writer = Writer {
                name,
                channel: channel.clone(),
                key: key.clone(),
                address: receiver.clone(),
                acknowledged: sender.clone(),
            };
            tokio::spawn(writer.run())
        })
        .collect();
    drop(sender);

    let mut platform = town.platform;
    let mut all = Vec::new();
    for round in 0..=ROUNDS {
        // Enough for a group commit to be under way at any moment; a little more in each round.
        for _ in 0..PER_ROUND + round * 7 {
            all.push(acknowledged.recv().await.unwrap());
        }
        if round < ROUNDS {
            platform = platform.kill_and_restart().await;
            address.send(Some(platform.http().to_owned())).unwrap();
        }
    }
    address.send(None).unwrap();
    for writer in writers {
        writer.await.unwrap();
    }
    while let Some(late) = acknowledged.recv().await {
        all.push(late);
    }
    check(platform, &channel, all).await;
}

/// Each acknowledged message is there once, with its id; and nothing has left a gap.
async fn check(platform: Stack, channel: &str, acknowledged: Vec<Acknowledged>) {
    let town = Town::around(platform).await;
    let last = last_seq(&town, channel).await;
    let request = WatchMessagesRequest {
        channel: channel.to_owned(),
        after_seq: Some(0),
    };
    let request = signed(request, &format!("Bearer {}", town.demo.api_key));
    let mut messages = MessageServiceClient::new(town.services.clone());
    let mut stream = messages.watch_messages(request).await.unwrap().into_inner();
    let mut stored: HashMap<String, Arc<str>> = HashMap::new();
    for seq in 1..=last {
        let message = stream.message().await.unwrap().unwrap().message.unwrap();
        assert_eq!(message.seq, seq, "no gap");
        let before = stored.insert(message.text.clone(), message.id.into());
        assert!(before.is_none(), "{} is there twice", message.text);
    }
    for message in &acknowledged {
        let found = stored.get(&message.text).map(|id| &**id);
        assert_eq!(found, Some(message.id.as_str()), "{}", message.text);
    }
    // A writer that was told to stop may leave one message unacknowledged.
    assert!(stored.len() - acknowledged.len() <= WRITERS);
}

async fn last_seq(town: &Town, channel: &str) -> i64 {
    let newest = town
        .data(&format!("/v1/messages?channel_id={channel}&count=1"))
        .await;
    town.message(newest["messages"][0]["id"].as_str().unwrap())
        .await
        .seq
}
