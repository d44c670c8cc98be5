//! Who listens to a channel.

use std::time::Duration;

use guildhall_proto::messaging::v1::{WatchMessagesRequest, WatchMessagesResponse};
use guildhall_tests::Ledger;
use tokio::sync::watch;
use tonic::Streaming;

use super::fixture::{Fixture, Messages};

/// How long the last messages may be on their way.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A live stream, and the ids that it has told so far.
pub struct Listener {
    channel: String,
    heard: watch::Receiver<Vec<String>>,
}

impl Listener {
    pub async fn start(fixture: &Fixture, mut messages: Messages, channel: &str) -> Self {
        let request = fixture.signed(WatchMessagesRequest {
            channel: channel.to_owned(),
            after_seq: None,
        });
        let stream = messages.watch_messages(request).await.unwrap();
        let (telling, heard) = watch::channel(Vec::new());
        tokio::spawn(listen(stream.into_inner(), telling));
        Self {
            channel: channel.to_owned(),
            heard,
        }
    }

    /// Waits until it has heard as much as is stored, and compares.
    pub async fn check(mut self, ledger: &Ledger) {
        let rows = ledger.rows.iter();
        let rows = rows.filter(|row| row.channel_id == self.channel);
        let stored: Vec<_> = rows.map(|row| row.id.clone()).collect();
        let all = self.heard.wait_for(|heard| heard.len() >= stored.len());
        let all = tokio::time::timeout(TIMEOUT, all).await;
        let heard = all.expect("all in time").expect("no end");
        assert_eq!(*heard, stored);
    }
}

async fn listen(mut stream: Streaming<WatchMessagesResponse>, telling: watch::Sender<Vec<String>>) {
    for seq in 1.. {
        let message = stream.message().await.expect("no failure").expect("no end");
        let message = message.message.expect("a message");
        assert_eq!(message.seq, seq);
        telling.send_modify(|heard| heard.push(message.id));
    }
}
