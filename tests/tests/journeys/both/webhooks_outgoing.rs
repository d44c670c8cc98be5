//! Outgoing webhooks from outside: what happens in a community reaches a receiver.

use guildhall_testkit::receiver::{Answer, Call, Receiver};
use guildhall_tests::{
    Caller, Community, Credential, Family, Refusal, operation::Kind, webhook::Webhook,
};
use http::Method;
use serde_json::{Value, json};

const OUTGOING: &str = "/v1/webhooks/outgoing";

/// Makes a webhook of the demo community; how the answer shows it, with its secret.
async fn make(community: &Community, url: &str, events: &[&str], changes: Value) -> Value {
    let mut new = json!({ "name": "Ours", "url": url, "events": events });
    for (field, value) in changes.as_object().unwrap() {
        new[field] = value.clone();
    }
    let made = community.integrator().post(OUTGOING, &new).await;
    made.expect(201)["data"].take()
}

async fn send(community: &Community, channel: &str, text: &str) -> String {
    let body = json!({
        "channelId": community.demo.channel(channel), "message": text, "sender": "johndoe"
    });
    let sent = community
        .integrator()
        .post("/v1/messages/send", &body)
        .await;
    let sent = sent.expect(200);
    sent["data"]["messageId"].as_str().unwrap().to_owned()
}

/// A channel without messages. What was sent shortly before a webhook was made may be told, too.
async fn quiet_channel(community: &Community) -> String {
    let new = json!({ "topic": "Quiet", "channelType": "open" });
    community.channel(&new).await
}

/// The call that tells of the message with this text, whatever else is told before.
async fn told(receiver: &Receiver, text: &str) -> Call {
    loop {
        let call = receiver.call().await;
        if call.json()["message"]["text"] == text {
            return call;
        }
    }
}

fn event(call: &Call) -> Value {
    let event = call.json();
    assert_eq!(event["event"], call.header("x-event"));
    assert_eq!(event["event_id"], call.header("webhook-id"));
    event
}

#[tokio::test]
async fn a_message_reaches_its_receiver_as_the_contract_says() {
    let (community, receiver) = (Community::start().await, Receiver::start().await);
    let made = make(
        &community,
        &receiver.url("hook"),
        &["message_posted"],
        json!({}),
    )
    .await;
    let id = send(&community, "general", "Hello out there").await;
    let call = told(&receiver, "Hello out there").await;
    let verifier = standardwebhooks::Webhook::new(made["secret"].as_str().unwrap()).unwrap();
    verifier.verify(&call.body, &call.headers).unwrap();
    let event = event(&call);
    let ann = &community.demo.users[0];
    let expected = json!({
        "event": "message_posted", "event_id": event["event_id"], "timestamp": event["timestamp"],
        "community": { "community_id": community.demo.community_id, "name": community.name },
        "user": { "user_id": ann.id.to_string(), "username": ann.username, "email": ann.email },
        "message": {
            "id": id, "text": "Hello out there", "parent_id": null, "forum_topic_id": null,
            "attachments": []
        },
        "channel": {
            "channel_id": community.demo.channel("general"), "name": "General", "channel_type": "open"
        }
    });
    assert_eq!(event, expected);
    assert_eq!(
        call.header("content-type"),
        "application/json; charset=utf-8"
    );
    assert_eq!(call.header("x-event-id"), event["event_id"]);
    assert_eq!(call.header("x-event-timestamp"), event["timestamp"]);
}

#[tokio::test]
async fn each_webhook_is_told_of_what_it_asked_for() {
    let (community, receiver) = (Community::start().await, Receiver::start().await);
    let forum = json!({ "channelIds": [community.demo.channel("announcements")] });
    let url = receiver.url("hook");
    make(&community, &url, &["channel_message_posted"], forum).await;
    let reactions = ["reaction_added", "reaction_removed"];
    make(&community, &url, &reactions, json!({})).await;
    send(&community, "general", "not of this channel").await;
    let id = send(&community, "announcements", "of this channel").await;
    let told = event(&receiver.call().await);
    assert_eq!(told["event"], "channel_message_posted");
    assert_eq!(told["message"]["id"], json!(id));

    let react = json!({ "messageId": id, "emoji": "👍", "sender": "ada" });
    let integrator = community.integrator();
    integrator
        .post("/v1/messages/react", &react)
        .await
        .expect(200);
    let told = event(&receiver.call().await);
    assert_eq!(told["event"], "reaction_added");
    assert_eq!(told["reaction"], json!({ "emoji": "👍", "message_id": id }));
    assert_eq!(told["user"]["username"], "ada");
    assert!(receiver.is_quiet().await);
}

#[tokio::test]
async fn messages_of_an_incoming_webhook_do_not_come_back() {
    let (community, receiver) = (Community::start().await, Receiver::start().await);
    let channel = quiet_channel(&community).await;
    let settings = json!({ "settings": { "channelId": channel, "sender": "johndoe" } });
    let news = Webhook::make(&community, settings).await;
    let ignores = json!({ "channelIds": [channel], "ignoreIncomingIds": [news.id] });
    let url = receiver.url("hook");
    make(&community, &url, &["channel_message_posted"], ignores).await;
    news.call(&community, &json!({ "message": "from outside" }))
        .await
        .expect(200);
    community.send(&channel, "johndoe", "from inside").await;
    let told = event(&receiver.call().await);
    assert_eq!(told["message"]["text"], "from inside");
    assert!(receiver.is_quiet().await);
}

#[tokio::test]
async fn what_was_delivered_is_listed_and_can_be_delivered_again() {
    let (community, receiver) = (Community::start().await, Receiver::start().await);
    let channel = quiet_channel(&community).await;
    let (url, only) = (receiver.url("hook"), json!({ "channelIds": [channel] }));
    let made = make(&community, &url, &["channel_message_posted"], only).await;
    let path = format!("{OUTGOING}/{}/deliveries", made["_id"].as_str().unwrap());
    community.send(&channel, "johndoe", "once").await;
    let first = receiver.call().await;
    let delivery = loop {
        let list = community.integrator().get(&path).await.expect(200);
        assert_eq!(list["meta"]["total"], 1);
        let delivery = list["data"][0].clone();
        if delivery["status"] == "success" {
            break delivery;
        }
    };
    assert_eq!(delivery["event_id"], first.header("webhook-id"));
    assert_eq!(
        (&delivery["attempt"], &delivery["responseStatus"]),
        (&json!(1), &json!(200))
    );

    let again = format!("{path}/{}/redeliver", delivery["_id"].as_str().unwrap());
    community
        .integrator()
        .post(&again, &json!({}))
        .await
        .expect(202);
    let second = receiver.call().await;
    assert_eq!(second.header("webhook-id"), first.header("webhook-id"));
    assert_eq!(second.body, first.body);

    let neighbour = community.another("theirs").await;
    let theirs = Credential::Bearer(neighbour.community.api_key.clone());
    let foreign = community.by(theirs).post(&again, &json!({})).await;
    Family::E2.refuses(&foreign, Refusal::NotFound);
}

#[tokio::test]
async fn a_webhook_is_tried_out_and_what_failed_is_looked_into_and_recovered() {
    let (community, receiver) = (Community::start().await, Receiver::start().await);
    let channel = quiet_channel(&community).await;
    let only = json!({ "channelIds": [channel], "apiKey": "the key of the receiver" });
    let made = make(
        &community,
        &receiver.url("hook"),
        &["channel_message_posted"],
        only,
    )
    .await;
    let path = format!("{OUTGOING}/{}", made["_id"].as_str().unwrap());
    let integrator = community.integrator();

    let test = json!({ "event": "store_item_purchased" });
    let tested = integrator.post(&format!("{path}/test"), &test).await;
    let tested = tested.expect(200)["data"].take();
    let sample = event(&receiver.call().await);
    assert_eq!(tested["event"], "store_item_purchased");
    assert_eq!(tested["event_id"], sample["event_id"]);
    assert_eq!(
        (
            &tested["responseStatus"],
            &tested["responseBody"],
            &tested["error"]
        ),
        (&json!(200), &json!("noted"), &Value::Null)
    );
    assert!(tested["durationMs"].is_u64());
    let unknown = json!({ "event": "user_left" });
    let refused = integrator.post(&format!("{path}/test"), &unknown).await;
    Family::E2.refuses(&refused, Refusal::Invalid);

    // 410: no second attempt, and the webhook is off until it is switched on.
    receiver.answer([Answer::Status(410)]);
    community.send(&channel, "johndoe", "lost").await;
    let first = receiver.call().await;
    let delivery = loop {
        let list = integrator.get(&format!("{path}/deliveries")).await;
        let list = list.expect(200);
        assert_eq!(list["meta"]["total"], 1, "a test is none");
        if list["data"][0]["status"] == "failed" {
            break list["data"][0].clone();
        }
    };
    let one = format!("{path}/deliveries/{}", delivery["_id"].as_str().unwrap());
    let shown = community.data(&one).await;
    assert_eq!(shown["status"], "failed");
    assert_eq!(shown["headers"]["webhook-signature"], "v1,***");
    assert_eq!(shown["headers"]["x-api-key"], "***");
    assert_eq!(shown["headers"]["webhook-id"], first.header("webhook-id"));
    assert_eq!(shown["body"].as_str().unwrap().as_bytes(), first.body);
    let attempt = &shown["attempts"][0];
    assert_eq!(shown["attempts"].as_array().unwrap().len(), 1);
    assert_eq!(
        (&attempt["attempt"], &attempt["responseStatus"]),
        (&json!(1), &json!(410))
    );
    assert_eq!(attempt["responseBody"], "noted");
    assert!(attempt["attemptedAt"].as_str() >= delivery["createdAt"].as_str());

    let recover = format!("{path}/recover");
    let since = json!({ "since": delivery["createdAt"] });
    loop {
        let on = integrator.call(Method::PATCH, &path);
        on.json(&json!({ "isEnabled": true }))
            .send()
            .await
            .expect(200);
        let recovered = integrator.post(&recover, &since).await;
        // The webhook may be switched off only now.
        if recovered.status != 409 {
            assert_eq!(recovered.expect(202)["data"], json!({ "queued": 1 }));
            break;
        }
    }
    let again = receiver.call().await;
    assert_eq!(again.header("webhook-id"), first.header("webhook-id"));
    for since in [json!({}), json!({ "since": "yesterday" })] {
        let refused = integrator.post(&recover, &since).await;
        Family::E2.refuses(&refused, Refusal::Invalid);
    }
}

#[tokio::test]
async fn a_receiver_that_fails_does_not_hold_up_another() {
    let (community, dead, alive) = (
        Community::start().await,
        Receiver::start().await,
        Receiver::start().await,
    );
    dead.answer_always(Answer::Never);
    let channel = quiet_channel(&community).await;
    for url in [dead.url("hook"), alive.url("hook")] {
        let only = json!({ "channelIds": [channel] });
        make(&community, &url, &["channel_message_posted"], only).await;
    }
    for number in 0..20 {
        let text = number.to_string();
        community.send(&channel, "johndoe", &text).await;
    }
    assert_eq!(alive.calls(20).await.len(), 20);
}

#[tokio::test]
async fn a_webhook_is_for_those_who_may_and_for_its_own_community() {
    let community = Community::start().await;
    let url = "https://hooks.example.com/hook";
    let made = make(&community, url, &["message_posted"], json!({})).await;
    let path = format!("{OUTGOING}/{}", made["_id"].as_str().unwrap());
    let deliveries = format!("{path}/deliveries");
    let calls = [
        (Method::GET, &path),
        (Method::PATCH, &path),
        (Method::GET, &deliveries),
        (Method::DELETE, &path),
    ];
    let theirs = community.another("theirs").await.community.api_key;
    let key = community.integrator();
    for (method, path) in calls {
        let by = async |caller: &Caller| {
            let call = caller.call(method.clone(), path);
            let call = match method {
                Method::PATCH => call.json(&json!({ "name": "Newer" })),
                _ => call,
            };
            call.send().await
        };
        for kind in [Kind::UserKey, Kind::SystemKey] {
            let refused = by(&community.by(community.credential(kind))).await;
            Family::E2.refuses(&refused, Refusal::Unauthenticated);
        }
        let foreign = by(&community.by(Credential::Bearer(theirs.clone()))).await;
        Family::E2.refuses(&foreign, Refusal::NotFound);
        by(&key).await.expect(200);
    }
    Family::E2.refuses(&key.get(&path).await, Refusal::NotFound);
}

#[tokio::test]
async fn only_admins_make_webhooks_and_one_of_a_kind() {
    let community = Community::start().await;
    let new = json!({
        "name": "Ours", "url": "https://hooks.example.com/ours", "events": ["message_posted"]
    });
    for kind in [Kind::UserKey, Kind::SystemKey] {
        let refused = community
            .by(community.credential(kind))
            .post(OUTGOING, &new)
            .await;
        Family::E2.refuses(&refused, Refusal::Unauthenticated);
    }
    let owner = community.by(community.credential(Kind::Jwt));
    let made = owner.post(OUTGOING, &new).await.expect(201);
    assert!(
        made["data"]["secret"]
            .as_str()
            .unwrap()
            .starts_with("whsec_")
    );
    let twice = community.integrator().post(OUTGOING, &new).await;
    Family::E2.refuses(&twice, Refusal::Conflict);
    let id = made["data"]["_id"].as_str().unwrap();
    let shown = community.data(&format!("{OUTGOING}/{id}")).await;
    assert_eq!(shown["secret"], Value::Null);
    let rotate = json!({ "rotateSecret": true });
    let path = format!("{OUTGOING}/{id}");
    let rotated = community
        .integrator()
        .call(Method::PATCH, &path)
        .json(&rotate);
    let rotated = rotated.send().await.expect(200);
    assert_ne!(rotated["data"]["secret"], made["data"]["secret"]);
}
