//! Incoming webhooks of the demo community, and calls of them.

use guildhall_testkit::{Answer, secret};
use http::Method;
use serde_json::{Value, json};

use crate::Community;

/// An incoming webhook of the demo community.
#[derive(Debug, Clone)]
pub struct Webhook {
    /// Its id.
    pub id: String,
    /// Where it is called.
    pub path: String,
    /// Its API key; empty when it has none.
    pub key: String,
}

impl Webhook {
    /// As an answer shows it.
    ///
    /// # Panics
    /// When it does not.
    #[must_use]
    pub fn of(community: &Community, data: &Value) -> Self {
        let text = |field: &str| data[field].as_str().unwrap_or_default().to_owned();
        let url = text("url");
        let path = url
            .strip_prefix(community.platform.http())
            .expect("our url")
            .to_owned();
        // Who knows the url may call it: it must not be in a log, either.
        let address = path.rsplit_once('/').expect("an address").1;
        secret::learn(secret::Kind::Credential, address);
        assert_eq!(address.len(), 32, "{url}");
        Self {
            id: text("_id"),
            path,
            key: text("apiKey"),
        }
    }

    /// One that sends messages into `general`, with `changes` to what it shall be.
    pub async fn make(community: &Community, changes: Value) -> Self {
        let mut new = json!({
            "name": "News", "kind": "send_message",
            "settings": { "channelId": community.demo.channel("general"), "sender": "johndoe" }
        });
        for (field, value) in changes.as_object().expect("an object") {
            new[field] = value.clone();
        }
        let made = community
            .integrator()
            .post("/v1/webhooks/incoming", &new)
            .await;
        Self::of(community, &made.expect(201)["data"])
    }

    /// Changes it; how it is shown then.
    pub async fn change(&self, community: &Community, change: &Value) -> Value {
        let path = format!("/v1/webhooks/incoming/{}", self.id);
        let call = community
            .integrator()
            .call(Method::PATCH, &path)
            .json(change);
        call.send().await.expect(200)["data"].take()
    }

    /// Calls it with its key.
    pub async fn call(&self, community: &Community, body: &Value) -> Answer {
        self.call_with(community, &[], &body.to_string()).await
    }

    /// Calls it with its key and further headers.
    pub async fn call_with(
        &self,
        community: &Community,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        let mut call = community.rest.post(&self.path);
        if !self.key.is_empty() {
            call = call.header("x-api-key", &self.key);
        }
        for (name, value) in headers {
            call = call.header(name, value);
        }
        call.body(body).send().await
    }

    /// Calls it with its key and a body that is said to be encrypted.
    pub async fn call_encrypted(&self, community: &Community, body: &str) -> Answer {
        self.call_with(community, &[("x-encrypted", "true")], body)
            .await
    }
}

/// The message that a call has sent.
///
/// # Panics
/// When it has sent none.
pub fn sent(answer: &Answer) -> String {
    let answer = answer.expect(200);
    let id = answer["data"]["messageId"]
        .as_str()
        .expect("an id")
        .to_owned();
    let expected = json!({
        "status": "success", "message": "Message send successfully", "data": { "messageId": id }
    });
    assert_eq!(answer, expected);
    id
}
