//! A community with channels, and the requests that are made in it.

use guildhall_proto::messaging::v1::SendMessageRequest;
use guildhall_testkit::{Demo, Rest};
use serde_json::json;

use crate::{
    Result,
    load::{
        grpc::Grpc,
        http1::{Http1, Request},
    },
};

/// Channels that messages are sent to in turn.
const CHANNELS: usize = 8;

/// A message: 100 characters, as people write.
pub const TEXT: &str = "Good morning everybody! The tournament begins at ten, and the rules hang on \
                        the board next to the door.";

/// The method of a send.
const SEND: &str = "/guildhall.messaging.v1.MessageService/SendMessage";

/// A community with channels.
#[derive(Debug)]
pub struct Community {
    /// Its members and credentials.
    pub demo: Demo,
    /// A client of its gateway.
    pub rest: Rest,
    http: String,
    channels: Vec<String>,
}

impl Community {
    /// Makes the channels, and sends a message to each.
    pub async fn prepare(http: &str, demo: Demo) -> Self {
        let mut community = Self {
            rest: Rest::new(http),
            http: http.to_owned(),
            demo,
            channels: Vec::new(),
        };
        for number in 0..CHANNELS {
            let channel = community.make_channel(&format!("Bench {number}")).await;
            community.channels.push(channel);
        }
        community.send_to_all().await;
        community
    }

    /// Makes a channel.
    pub async fn make_channel(&self, topic: &str) -> String {
        let body = json!({ "topic": topic, "channelType": "open" });
        let call = self.rest.post("/v1/channels").json(&body);
        let made = call.system_key(&self.demo.system_api_key).send().await;
        made.expect(200)["body"]["_id"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    /// Sends a message to each of the channels; how many that were.
    pub async fn send_to_all(&self) -> usize {
        for channel in &self.channels {
            self.send_to(channel).await;
        }
        self.channels.len()
    }

    /// Sends a message to a channel.
    pub async fn send_to(&self, channel: &str) {
        let call = self
            .rest
            .post("/v1/messages/send")
            .bearer(&self.demo.api_key);
        let body = json!({ "channelId": channel, "message": TEXT, "sender": self.sender() });
        call.json(&body).send().await.expect(200);
    }

    /// Sends over REST.
    ///
    /// # Errors
    /// When the gateway has no usual address.
    pub fn sends(&self) -> Result<Http1> {
        let requests = self.channels.iter().map(|channel| {
            let body = json!({ "channelId": channel, "message": TEXT, "sender": self.sender() });
            Request {
                method: "POST",
                path: "/apis/v1/messages/send".to_owned(),
                key: self.demo.api_key.clone(),
                body: body.to_string(),
            }
        });
        Http1::new(&self.http, requests)
    }

    /// Sends over gRPC to the service at `base`.
    ///
    /// # Errors
    /// When that has no usual address.
    pub fn sends_by_rpc(&self, base: &str) -> Result<Grpc> {
        let messages = self.channels.iter().map(|channel| SendMessageRequest {
            channel: channel.clone(),
            sender: self.sender().to_owned(),
            text: TEXT.to_owned(),
            ..SendMessageRequest::default()
        });
        Grpc::new(base, SEND, &self.demo.api_key, messages)
    }

    /// The same GET again and again.
    ///
    /// # Errors
    /// When the gateway has no usual address.
    pub fn gets(&self, path: &str) -> Result<Http1> {
        let request = Request {
            method: "GET",
            path: path.to_owned(),
            key: self.demo.api_key.clone(),
            body: String::new(),
        };
        Http1::new(&self.http, [request])
    }

    fn sender(&self) -> &str {
        self.demo.users.first().map_or("", |user| user._id.as_str())
    }
}
