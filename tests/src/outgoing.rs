//! An outgoing webhook and a delivery of it, which the demo community does not have.

use guildhall_testkit::receiver::Receiver;
use serde_json::{Value, json};

use crate::Caller;

const PATH: &str = "/v1/webhooks/outgoing";

/// An outgoing webhook whose receiver has taken a delivery.
#[derive(Debug)]
pub struct Outgoing {
    /// The webhook.
    pub webhook: String,
    /// The delivery.
    pub delivery: String,
    integrator: Caller,
    _receiver: Receiver,
}

/// Makes a webhook that tells `url` of messages in `channel` alone; its id.
pub async fn make(integrator: &Caller, url: &str, channel: &str) -> String {
    let new = json!({
        "name": "Ours", "url": url, "events": ["channel_message_posted"], "channelIds": [channel]
    });
    let made = integrator.post(PATH, &new).await.expect(201);
    text(&made["data"]["_id"])
}

impl Outgoing {
    /// One of `channel`, and a message there of `sender`, who may write there.
    pub(crate) async fn make(integrator: Caller, channel: &str, sender: &str) -> Self {
        let receiver = Receiver::start().await;
        let webhook = make(&integrator, &receiver.url("hook"), channel).await;
        let message =
            json!({ "channelId": channel, "message": "For the record", "sender": sender });
        let sent = integrator.post("/v1/messages/send", &message).await;
        sent.expect(200);
        receiver.call().await;
        let mut outgoing = Self {
            webhook,
            delivery: String::new(),
            integrator,
            _receiver: receiver,
        };
        outgoing.delivery = text(&outgoing.deliveries_done().await["_id"]);
        outgoing
    }

    /// Waits until no attempt is under way; how the delivery is shown then.
    pub async fn deliveries_done(&self) -> Value {
        let path = format!("{PATH}/{}/deliveries", self.webhook);
        loop {
            let list = self.integrator.get(&path).await;
            // A test may have deleted the webhook.
            let delivery = match list.status {
                404 => return Value::Null,
                _ => list.expect(200)["data"][0].take(),
            };
            if delivery["status"] == "success" {
                return delivery;
            }
            tokio::task::yield_now().await;
        }
    }
}

fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}
