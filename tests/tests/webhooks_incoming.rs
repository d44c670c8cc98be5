//! Webhooks that are called from outside: who may call them, how, and what a call does.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a step that fails fails its test"
)]

use std::time::{Duration, Instant};

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey},
    cipher::{AES_256, DecryptionContext, PaddedBlockEncryptingKey, UnboundCipherKey},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use guildhall_testkit::{Answer, secret};
use guildhall_tests::{Family, Refusal, Town};
use http::Method;
use serde_json::{Value, json};

const AES_KEY: &str = "0123456789 abcdefghijklmnopqrst~";
/// What every body that cannot be decrypted is told.
const UNDECRYPTABLE: &str = r#"{"message":"Invalid encrypted body","status":"error"}"#;
const PATIENCE: Duration = Duration::from_secs(20);

/// An incoming webhook of the demo community.
struct Webhook {
    id: String,
    /// Where it is called.
    path: String,
    /// Its API key; empty when it has none.
    key: String,
}

impl Webhook {
    fn of(town: &Town, data: &Value) -> Self {
        let text = |field: &str| data[field].as_str().unwrap_or_default().to_owned();
        let url = text("url");
        let path = url.strip_prefix(town.platform.http()).unwrap().to_owned();
        // Who knows the url may call it: it must not be in a log, either.
        let address = path.rsplit_once('/').unwrap().1;
        secret::learn(secret::Kind::Credential, address);
        assert_eq!(address.len(), 32, "{url}");
        Self {
            id: text("_id"),
            path,
            key: text("apiKey"),
        }
    }

    /// One that sends messages into `general`, with `changes` to what it shall be.
    async fn make(town: &Town, changes: Value) -> Self {
        let mut new = json!({
            "name": "News", "kind": "send_message",
            "settings": { "channelId": town.demo.channel("general"), "sender": "johndoe" }
        });
        for (field, value) in changes.as_object().unwrap() {
            new[field] = value.clone();
        }
        let made = town.integrator().post("/v1/webhooks/incoming", &new).await;
        Self::of(town, &made.expect(201)["data"])
    }

    async fn change(&self, town: &Town, change: &Value) -> Value {
        let path = format!("/v1/webhooks/incoming/{}", self.id);
        let call = town.integrator().call(Method::PATCH, &path).json(change);
        call.send().await.expect(200)["data"].take()
    }

    async fn call(&self, town: &Town, body: &Value) -> Answer {
        self.call_with(town, &[], &body.to_string()).await
    }

    async fn call_with(&self, town: &Town, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut call = town.rest.post(&self.path);
        if !self.key.is_empty() {
            call = call.header("x-api-key", &self.key);
        }
        for (name, value) in headers {
            call = call.header(name, value);
        }
        call.body(body).send().await
    }

    async fn call_encrypted(&self, town: &Town, body: &str) -> Answer {
        self.call_with(town, &[("x-encrypted", "true")], body).await
    }
}

fn gcm(plain: &str) -> Value {
    let key = UnboundKey::new(&AES_256_GCM, AES_KEY.as_bytes()).unwrap();
    let (iv, mut data) = ([7; 12], plain.as_bytes().to_vec());
    let tag = LessSafeKey::new(key)
        .seal_in_place_separate_tag(Nonce::assume_unique_for_key(iv), Aad::empty(), &mut data)
        .unwrap();
    json!({
        "iv": STANDARD.encode(iv), "data": STANDARD.encode(data), "tag": STANDARD.encode(tag)
    })
}

fn cbc(plain: &str) -> Value {
    let key = UnboundCipherKey::new(&AES_256, AES_KEY.as_bytes()).unwrap();
    let mut data = plain.as_bytes().to_vec();
    let key = PaddedBlockEncryptingKey::cbc_pkcs7(key).unwrap();
    let DecryptionContext::Iv128(iv) = key.encrypt(&mut data).unwrap() else {
        panic!("CBC has an IV");
    };
    json!({ "iv": STANDARD.encode(iv.as_ref()), "data": STANDARD.encode(data) })
}

fn sent(answer: &Answer) -> String {
    let answer = answer.expect(200);
    let id = answer["data"]["messageId"].as_str().unwrap().to_owned();
    let expected = json!({
        "status": "success", "message": "Message send successfully", "data": { "messageId": id }
    });
    assert_eq!(answer, expected);
    id
}

#[tokio::test]
async fn a_call_sends_a_message_as_the_settings_say() {
    let town = Town::start().await;
    let news = Webhook::make(&town, json!({})).await;
    let id = sent(&news.call(&town, &json!({ "message": "It works" })).await);
    let message = town.message(&id).await;
    assert_eq!(message.text, "It works");
    assert_eq!(message.channel_id, town.demo.channel("general"));
    let author = message.author.unwrap();
    assert_eq!(author.user_id, town.demo.user("johndoe")._id);

    // A call may name another author, and a channel that the settings allow.
    let [forum, announcements] = ["forum", "announcements"].map(|name| town.demo.channel(name));
    let settings = json!({ "settings": { "allowedChannelIds": [forum] } });
    news.change(&town, &settings).await;
    let topic = &town.demo.forum_topic_id;
    let call = json!({
        "message": "By ada", "sender": "ada@example.com", "channelId": forum, "forumTopicId": topic
    });
    let message = town.message(&sent(&news.call(&town, &call).await)).await;
    assert_eq!((&*message.channel_id, &message.topic_id), (forum, topic));
    assert_eq!(message.author.unwrap().user_id, town.demo.user("ada")._id);

    for (call, refusal) in [
        (
            json!({ "message": "x", "channelId": announcements }),
            Refusal::Forbidden,
        ),
        (
            json!({ "message": "x", "channelId": "general" }),
            Refusal::Invalid,
        ),
        (
            json!({ "message": "x", "sender": "nobody" }),
            Refusal::NotFound,
        ),
        (
            json!({ "message": "x", "channelId": forum, "forumTopicId": "1" }),
            Refusal::Invalid,
        ),
        (json!({ "message": " " }), Refusal::Invalid),
        (json!({ "message": 1 }), Refusal::Invalid),
        (json!({}), Refusal::Invalid),
        (json!([]), Refusal::Invalid),
    ] {
        Family::E1.refuses(&news.call(&town, &call).await, refusal);
    }
    let missing = news.call(&town, &json!({})).await.expect(400);
    assert_eq!(missing["errors"][0]["field"], "message");
    let malformed = news.call_with(&town, &[], "{").await;
    Family::E1.refuses(&malformed, Refusal::Invalid);
    let large = json!({ "message": "x".repeat(64 * 1024) });
    Family::E1.refuses(&news.call(&town, &large).await, Refusal::TooLarge);
}

#[tokio::test]
async fn its_own_key_opens_a_webhook_and_nothing_else_does() {
    let town = Town::start().await;
    let news = Webhook::make(&town, json!({})).await;
    let other = Webhook::make(&town, json!({})).await;
    let hello = json!({ "message": "Hello" });
    let demo = &town.demo;
    for key in ["", &other.key, &demo.system_api_key, &demo.api_key, "é"] {
        let call = town.rest.post(&news.path).header("x-api-key", key);
        let answer = call.json(&hello).send().await;
        let refusal = if key == "é" {
            Refusal::Invalid
        } else {
            Refusal::Unauthenticated
        };
        Family::E1.refuses(&answer, refusal);
    }
    // What opens the rest of the contract opens no webhook.
    let by_admin = town.integrator().post(&news.path, &hello).await;
    Family::E1.refuses(&by_admin, Refusal::Unauthenticated);

    // Without the toggle nobody asks for a key; with it the old one is good again.
    news.change(&town, &json!({ "apiKeyEnabled": false })).await;
    let keyless = town.rest.post(&news.path).json(&hello).send().await;
    sent(&keyless);
    let data = news.change(&town, &json!({ "apiKeyEnabled": true })).await;
    assert!(data.get("apiKey").is_none(), "{data}");
    let keyless = town.rest.post(&news.path).json(&hello).send().await;
    Family::E1.refuses(&keyless, Refusal::Unauthenticated);
    sent(&news.call(&town, &hello).await);

    let data = news.change(&town, &json!({ "rotateApiKey": true })).await;
    let rotated = Webhook::of(&town, &data);
    assert_eq!((rotated.key.len(), &rotated.path), (64, &news.path));
    Family::E1.refuses(&news.call(&town, &hello).await, Refusal::Unauthenticated);
    sent(&rotated.call(&town, &hello).await);

    // One that never had a key gets it when it needs it.
    let open = Webhook::make(&town, json!({ "apiKeyEnabled": false })).await;
    assert_eq!(open.key, "");
    let data = open.change(&town, &json!({ "apiKeyEnabled": true })).await;
    sent(&Webhook::of(&town, &data).call(&town, &hello).await);
}

#[tokio::test]
async fn bodies_are_encrypted_in_either_mode() {
    let town = Town::start().await;
    let hello = json!({ "message": "Psst" }).to_string();
    for (mode, body) in [("gcm", gcm(&hello)), ("cbc", cbc(&hello))] {
        let encryption = json!({ "isEnabled": true, "mode": mode, "key": AES_KEY });
        let safe = Webhook::make(&town, json!({ "encryption": encryption })).await;
        let id = sent(&safe.call_encrypted(&town, &body.to_string()).await);
        assert_eq!(town.message(&id).await.text, "Psst");

        let shown = town
            .integrator()
            .get(&format!("/v1/webhooks/incoming/{}", safe.id))
            .await;
        assert!(!shown.body.contains(AES_KEY), "{}", shown.body);
        let expected = json!({ "isEnabled": true, "mode": mode });
        assert_eq!(shown.expect(200)["data"]["encryption"], expected);
    }
}

#[tokio::test]
async fn what_cannot_be_decrypted_is_refused_alike_whatever_the_cause() {
    let town = Town::start().await;
    let hello = json!({ "message": "Psst" }).to_string();
    let plain = Webhook::make(&town, json!({})).await;
    let refused = async |answer: Answer, begun: Instant, cause: &str| {
        assert_eq!(
            (answer.status, &*answer.body),
            (400, UNDECRYPTABLE),
            "{cause}"
        );
        assert!(
            begun.elapsed() >= Duration::from_millis(25),
            "{cause} is told by the time"
        );
    };
    let begun = Instant::now();
    let answer = plain.call_encrypted(&town, &gcm(&hello).to_string()).await;
    refused(answer, begun, "encrypted though it must not be").await;

    for (mode, good) in [("gcm", gcm(&hello)), ("cbc", cbc(&hello))] {
        let encryption = json!({ "isEnabled": true, "mode": mode, "key": AES_KEY });
        let safe = Webhook::make(&town, json!({ "encryption": encryption })).await;
        let begun = Instant::now();
        let answer = safe.call_with(&town, &[], &hello).await;
        refused(answer, begun, "plain though it must not be").await;

        let broken = |field: &str, value: &str| {
            let mut body = good.clone();
            body[field] = value.into();
            body
        };
        let not_json = if mode == "gcm" {
            gcm("Psst")
        } else {
            cbc("Psst")
        };
        for (cause, body) in [
            ("no JSON", json!("x")),
            ("no parts", json!({})),
            (
                "the other mode",
                if mode == "gcm" {
                    cbc(&hello)
                } else {
                    gcm(&hello)
                },
            ),
            ("another IV", broken("iv", &STANDARD.encode([8; 16]))),
            ("a short IV", broken("iv", "AAAA")),
            ("no base64", broken("data", "!")),
            ("a cut text", broken("data", &STANDARD.encode([0; 15]))),
            ("another text", broken("data", &STANDARD.encode([0; 32]))),
            ("no JSON inside", not_json),
        ] {
            let begun = Instant::now();
            let answer = safe.call_encrypted(&town, &body.to_string()).await;
            refused(answer, begun, cause).await;
        }
    }
}

#[tokio::test]
async fn a_repeat_answers_the_first_call() {
    let town = Town::start().await;
    let news = Webhook::make(&town, json!({})).await;
    let other = Webhook::make(&town, json!({})).await;
    let hello = json!({ "message": "Once" }).to_string();
    let long = "k".repeat(255);
    for header in [("webhook-id", "msg_1"), ("Idempotency-Key", &long)] {
        let first = news.call_with(&town, &[header], &hello).await;
        assert_eq!(first.header("idempotent-replayed"), None);
        let again = news.call_with(&town, &[header], &hello).await;
        assert_eq!(sent(&again), sent(&first));
        assert_eq!(again.header("idempotent-replayed"), Some("true"));
        // Another webhook has names of its own.
        let others = other.call_with(&town, &[header], &hello).await;
        assert_ne!(sent(&others), sent(&first));
    }
    let unnamed = [
        news.call_with(&town, &[], &hello).await,
        news.call_with(&town, &[], &hello).await,
    ];
    assert_ne!(sent(&unnamed[0]), sent(&unnamed[1]));
}

#[tokio::test]
async fn the_calls_of_a_minute_are_counted_for_each_webhook() {
    let town = Town::start().await;
    let busy = Webhook::make(&town, json!({})).await;
    let other = Webhook::make(&town, json!({})).await;
    let mut taken = 0;
    // A wrong key counts, too: nobody guesses at his leisure.
    let refused = loop {
        let call = town
            .rest
            .post(&busy.path)
            .header("x-api-key", "guessed guessed");
        let answer = call.json(&json!({ "message": "x" })).send().await;
        if answer.status == 429 {
            break answer;
        }
        assert_eq!(answer.status, 401, "{}", answer.body);
        taken += 1;
        assert!(taken < 200, "there is no end");
    };
    assert!(taken >= 60, "refused after {taken} calls");
    Family::E1.refuses(&refused, Refusal::RateLimited);
    assert_eq!(refused.header("retry-after"), Some("1"));
    sent(
        &other
            .call(&town, &json!({ "message": "Another one" }))
            .await,
    );
}

#[tokio::test]
async fn what_is_disabled_deleted_or_elsewhere_is_not_found() {
    let town = Town::start().await;
    let theirs = town.neighbour("neighbours").await;
    let news = Webhook::make(&town, json!({})).await;
    let hello = json!({ "message": "Hello" });
    let by_id = format!("/v1/webhooks/incoming/{}", news.id);
    sent(&news.call(&town, &hello).await);

    news.change(&town, &json!({ "isEnabled": false })).await;
    Family::E1.refuses(&news.call(&town, &hello).await, Refusal::NotFound);
    news.change(&town, &json!({ "isEnabled": true })).await;
    sent(&news.call(&town, &hello).await);

    // The id is not the address.
    Family::E1.refuses(
        &town.rest.post(&by_id).json(&hello).send().await,
        Refusal::NotFound,
    );
    let stranger = town.bearer(&theirs.community.api_key);
    for method in [Method::GET, Method::DELETE, Method::PATCH] {
        let call = stranger
            .call(method, &by_id)
            .json(&json!({ "name": "Mine" }));
        Family::E2.refuses(&call.send().await, Refusal::NotFound);
    }
    sent(&news.call(&town, &hello).await);

    let deleted = town.integrator().delete(&by_id).await.expect(200);
    let expected = json!({
        "meta": { "status": "success", "statusCode": 200 },
        "message": "Delete incoming webhook success.", "data": { "_id": news.id }
    });
    assert_eq!(deleted, expected);
    Family::E1.refuses(&news.call(&town, &hello).await, Refusal::NotFound);
    Family::E2.refuses(&town.integrator().get(&by_id).await, Refusal::NotFound);
    Family::E2.refuses(&town.integrator().delete(&by_id).await, Refusal::NotFound);
}

#[tokio::test]
async fn a_webhook_is_shown_as_the_contract_says() {
    let town = Town::start().await;
    let (general, forum) = (town.demo.channel("general"), town.demo.channel("forum"));
    let new = json!({
        "name": " News ", "kind": "send_message",
        "settings": { "channelId": general, "allowedChannelIds": [forum], "sender": "johndoe" }
    });
    let made = town.integrator().post("/v1/webhooks/incoming", &new).await;
    let made = made.expect(201);
    assert_eq!(made["meta"]["statusCode"], 201);
    let news = Webhook::of(&town, &made["data"]);
    let mut shown = made["data"].clone();
    assert_eq!(
        shown.as_object_mut().unwrap().remove("apiKey").unwrap(),
        json!(news.key)
    );
    let expected = json!({
        "_id": news.id, "communityID": town.demo.community_id, "name": "News",
        "kind": "send_message", "url": format!("{}{}", town.platform.http(), news.path),
        "settings": {
            "channelId": general, "allowedChannelIds": [forum], "sender": "johndoe",
            "allowedFields": [], "allowedCurrencies": []
        },
        "apiKeyEnabled": true, "encryption": { "isEnabled": false, "mode": "gcm" },
        "isEnabled": true, "createdAt": shown["createdAt"], "updatedAt": shown["updatedAt"],
        "lastUsedAt": null
    });
    assert_eq!(shown, expected);
    let by_id = format!("/v1/webhooks/incoming/{}", news.id);
    assert_eq!(town.data(&by_id).await, expected);

    let list = town
        .integrator()
        .get("/v1/webhooks/incoming?page=2&limit=1")
        .await;
    let list = list.expect(200);
    let meta = json!({
        "status": "success", "statusCode": 200, "page": 2, "limit": 1, "total": 2, "totalPages": 2
    });
    assert_eq!(list["meta"], meta, "the demo has one, too, and it is older");
    assert_eq!(list["data"], json!([expected]));

    sent(&news.call(&town, &json!({ "message": "Hello" })).await);
    let used = async {
        while town.data(&by_id).await["lastUsedAt"].is_null() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, used)
        .await
        .expect("its use is noted");
}

#[tokio::test]
async fn what_a_webhook_cannot_be_is_refused_by_name() {
    let town = Town::start().await;
    let news = Webhook::make(&town, json!({})).await;
    let general = town.demo.channel("general");
    let good = json!({ "channelId": general, "sender": "johndoe" });
    for (field, change) in [
        ("name", json!({ "name": " " })),
        ("name", json!({ "name": "n".repeat(101) })),
        ("kind", json!({ "kind": "send_mail" })),
        (
            "settings.channelId",
            json!({ "settings": { "channelId": "general", "sender": "a" } }),
        ),
        (
            "settings.sender",
            json!({ "settings": { "channelId": general, "sender": "" } }),
        ),
        (
            "settings.allowedChannelIds",
            json!({ "settings": { "channelId": general, "sender": "a", "allowedChannelIds": ["x"] } }),
        ),
        (
            "settings.allowedCurrencies",
            json!({ "settings": { "channelId": general, "sender": "a", "allowedCurrencies": ["x"] } }),
        ),
        (
            "encryption.key",
            json!({ "encryption": { "isEnabled": true } }),
        ),
        (
            "encryption.key",
            json!({ "encryption": { "isEnabled": true, "key": "short" } }),
        ),
    ] {
        let mut new = json!({ "name": "News", "kind": "send_message", "settings": good });
        for (name, value) in change.as_object().unwrap() {
            new[name] = value.clone();
        }
        let path = format!("/v1/webhooks/incoming/{}", news.id);
        let made = town.integrator().post("/v1/webhooks/incoming", &new).await;
        let changed = town.integrator().call(Method::PATCH, &path).json(&change);
        for answer in [made, changed.send().await] {
            let answer = answer.expect(400);
            assert_eq!(answer["meta"]["validation"][0]["field"], field, "{answer}");
        }
    }
    let other_kind = json!({ "kind": "update_currency" });
    let path = format!("/v1/webhooks/incoming/{}", news.id);
    let other_kind = town
        .integrator()
        .call(Method::PATCH, &path)
        .json(&other_kind);
    Family::E2.refuses(&other_kind.send().await, Refusal::Invalid);
}

#[tokio::test]
async fn a_community_has_fifty_of_them() {
    let town = Town::start().await;
    let new = json!({ "name": "One more", "kind": "update_user_fields" });
    // The demo has one already; all others are wanted at once.
    let callers: Vec<_> = (0..55).map(|_| town.integrator()).collect();
    let made = callers
        .iter()
        .map(|caller| caller.post("/v1/webhooks/incoming", &new));
    let made = futures::future::join_all(made).await;
    let count = |status| made.iter().filter(|answer| answer.status == status).count();
    assert_eq!((count(201), count(400)), (49, 6));
    let id = town.demo.incoming_webhook._id.clone();
    let path = format!("/v1/webhooks/incoming/{id}");
    town.integrator().delete(&path).await.expect(200);
    town.integrator()
        .post("/v1/webhooks/incoming", &new)
        .await
        .expect(201);
}

#[tokio::test]
async fn what_is_not_built_yet_is_checked_and_then_says_so() {
    let town = Town::start().await;
    let fields = json!({ "kind": "update_user_fields", "settings": { "allowedFields": ["tier"] } });
    let fields = Webhook::make(&town, fields).await;
    let coins =
        json!({ "kind": "update_currency", "settings": { "allowedCurrencies": ["coins"] } });
    let coins = Webhook::make(&town, coins).await;
    let tier = json!({ "email": "ada@example.com", "fields": { "tier": "gold" } });
    let add = json!({ "userId": "2", "currency": "coins", "operation": "add", "amount": 100 });
    for (webhook, body, part) in [
        (&fields, &tier, "user fields"),
        (&coins, &add, "gamification"),
    ] {
        let answer = webhook.call(&town, body).await.expect(501);
        assert!(
            answer["message"].as_str().unwrap().contains(part),
            "{answer}"
        );
        let wrong = webhook.call(&town, &json!({ "message": "Hello" })).await;
        Family::E1.refuses(&wrong, Refusal::Invalid);
    }
    let unknown = json!({ "email": "ada@example.com", "fields": { "lots": 12 } });
    let unknown = fields.call(&town, &unknown).await.expect(400);
    assert_eq!(unknown["errors"][0]["field"], "fields.lots");
}
