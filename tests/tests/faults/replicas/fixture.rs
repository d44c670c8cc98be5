//! The cluster as its clients see it, and who writes to it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use futures::future::join_all;
use guildhall_catalog::{GATEWAY, MESSAGING};
use guildhall_proto::messaging::v1::{
    MessageReference, ReplyMessageRequest, SendMessageRequest, message_reference::Reference,
    message_service_client::MessageServiceClient,
};
use guildhall_testkit::{Cluster, Rest, grpc};
use guildhall_tests::Acknowledged;
use serde_json::{Value, json};
use tonic::{Request, transport::Channel};

const CHANNELS: usize = 3;
/// Messages of each writer.
pub const EACH: usize = 40;
/// Every so many messages, a writer replies to an earlier one.
const REPLIES: usize = 4;

/// A replica of messaging.
pub type Messages = MessageServiceClient<Channel>;

/// A way in.
#[derive(Debug, Clone)]
pub enum EntryPoint {
    /// One of the gateways.
    Rest(Rest),
    /// One of the replicas of messaging.
    Grpc(Messages),
}

/// A message that was answered.
#[derive(Debug, Clone)]
pub struct Written {
    pub channel: String,
    pub author: &'static str,
    pub id: String,
}

/// The cluster as its clients see it.
#[derive(Debug, Clone)]
pub struct Fixture {
    pub rest: Vec<Rest>,
    pub grpc: Vec<Messages>,
    pub channels: Vec<String>,
    pub key: String,
    /// The messages that were answered so far.
    pub written: Arc<Mutex<Vec<Written>>>,
}

impl Fixture {
    pub async fn of(cluster: &Cluster) -> Self {
        let demo = cluster.demo();
        let mut channels = Vec::new();
        for n in 0..CHANNELS {
            let body = json!({ "topic": format!("Room {n}"), "channelType": "open" });
            let call = cluster.rest().post("/v1/channels").json(&body);
            let made = call.system_key(&demo.system_api_key).send().await;
            channels.push(text_of(&made.expect(200)["body"]["_id"]));
        }
        let gateways = cluster[GATEWAY].iter().map(|gateway| gateway.url());
        let replicas = cluster[MESSAGING].iter().map(|replica| replica.url());
        let connected = join_all(replicas.map(grpc::connect)).await;
        Self {
            rest: gateways.map(Rest::new).collect(),
            grpc: connected.into_iter().map(Messages::new).collect(),
            channels,
            key: demo.api_key,
            written: Arc::default(),
        }
    }

    /// Every way in.
    pub fn entry_points(&self) -> Vec<EntryPoint> {
        let grpc = self.grpc.iter().cloned().map(EntryPoint::Grpc);
        grpc.chain(self.rest.iter().cloned().map(EntryPoint::Rest))
            .collect()
    }

    pub fn signed<T>(&self, message: T) -> Request<T> {
        grpc::signed(message, &format!("Bearer {}", self.key))
    }

    /// Writes to all channels in turn through one entry point, and replies to some of it.
    pub async fn write(self, name: usize, entry_point: EntryPoint) -> Vec<Acknowledged> {
        let sender = if name.is_multiple_of(2) {
            "ada"
        } else {
            "grace"
        };
        let mut parents: HashMap<usize, String> = HashMap::new();
        let mut acknowledged = Vec::new();
        for n in 0..EACH {
            let at = (name + n) % CHANNELS;
            let (channel, text) = (&self.channels[at], format!("writer {name} message {n}"));
            let parent = parents.get(&at).filter(|_| n % REPLIES == 0);
            let id = match parent {
                Some(parent) => self.reply(&entry_point, parent, sender, &text).await,
                None => self.send(&entry_point, channel, sender, &text).await,
            };
            self.written.lock().unwrap().push(Written {
                channel: channel.clone(),
                author: sender,
                id: id.clone(),
            });
            parents.entry(at).or_insert_with(|| id.clone());
            // Their messages have an order within a channel.
            let writer = name * CHANNELS + at;
            acknowledged.push(Acknowledged { writer, text, id });
        }
        acknowledged
    }

    async fn send(
        &self,
        entry_point: &EntryPoint,
        channel: &str,
        sender: &str,
        text: &str,
    ) -> String {
        match entry_point {
            EntryPoint::Rest(rest) => {
                let body = json!({ "channelId": channel, "message": text, "sender": sender });
                self.post(rest, "/v1/messages/send", &body).await
            }
            EntryPoint::Grpc(messages) => {
                let request = self.signed(message_to_send(channel, sender, text));
                let answer = messages.clone().send_message(request).await.unwrap();
                answer.into_inner().message.unwrap().id
            }
        }
    }

    async fn reply(
        &self,
        entry_point: &EntryPoint,
        parent: &str,
        sender: &str,
        text: &str,
    ) -> String {
        match entry_point {
            EntryPoint::Rest(rest) => {
                let body = json!({ "messageId": parent, "message": text, "sender": sender });
                self.post(rest, "/v1/messages/reply", &body).await
            }
            EntryPoint::Grpc(messages) => {
                let request = self.signed(message_to_reply(parent, sender, text));
                let answer = messages.clone().reply_message(request).await.unwrap();
                answer.into_inner().message.unwrap().id
            }
        }
    }

    async fn post(&self, rest: &Rest, path: &str, body: &Value) -> String {
        let call = rest.post(path).bearer(&self.key).json(body);
        text_of(&call.send().await.expect(200)["data"]["messageId"])
    }
}

pub fn message_to_send(channel: &str, sender: &str, text: &str) -> SendMessageRequest {
    SendMessageRequest {
        channel: channel.to_owned(),
        sender: sender.to_owned(),
        text: text.to_owned(),
        ..Default::default()
    }
}

fn message_to_reply(parent: &str, sender: &str, text: &str) -> ReplyMessageRequest {
    let parent = MessageReference {
        reference: Some(Reference::Id(parent.to_owned())),
        ..Default::default()
    };
    ReplyMessageRequest {
        message: Some(parent),
        sender: sender.to_owned(),
        text: text.to_owned(),
        ..Default::default()
    }
}

pub fn text_of(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}
