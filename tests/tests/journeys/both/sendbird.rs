//! The Sendbird facade: shapes, threads, reactions and error codes (contract: sendbird).

use guildhall_tests::Community;
use http::Method;
use serde_json::{Value, json};

/// The demo's group channel.
const ROOM: &str = "/v3/group_channels/demo-group/messages";

/// Sends a text message as a member; the resource.
async fn send(community: &Community, user: &str, text: &str) -> Value {
    let body = json!({ "message_type": "MESG", "user_id": user, "message": text });
    community.sendbird().post(ROOM, &body).await.expect(200)
}

fn numbers(list: &Value) -> Vec<i64> {
    let messages = list["messages"].as_array().unwrap();
    messages
        .iter()
        .map(|message| message["message_id"].as_i64().unwrap())
        .collect()
}

#[tokio::test]
async fn a_message_has_the_documented_shape() {
    let community = Community::start().await;
    let body = json!({
        "message_type": "MESG", "user_id": "ada", "message": "Hi 👩‍🚀", "custom_type": "greeting",
        "data": "{\"a\":1}", "mention_type": "users", "mentioned_user_ids": ["grace"],
        "sorted_metaarray": [{ "key": "colours", "value": ["red", "blue"] }],
        "is_silent": true, "send_push": false, "sound": "default"
    });
    let sent = community.sendbird().post(ROOM, &body).await.expect(200);
    let number = sent["message_id"].as_i64().unwrap();
    assert!(number > community.demo.sendbird.message_id && number < 1 << 53);
    for (field, value) in [
        ("type", json!("MESG")),
        ("message", json!("Hi 👩‍🚀")),
        ("custom_type", json!("greeting")),
        ("data", json!("{\"a\":1}")),
        ("channel_url", json!("demo-group")),
        ("mention_type", json!("users")),
        ("is_removed", json!(false)),
        ("silent", json!(true)),
        (
            "sorted_metaarray",
            json!([{ "key": "colours", "value": ["red", "blue"] }]),
        ),
    ] {
        assert_eq!(sent[field], value, "{field}");
    }
    assert_eq!(sent["user"]["user_id"], "ada");
    assert_eq!(sent["user"]["nickname"], "Ada");
    assert_eq!(sent["mentioned_users"][0]["user_id"], "grace");
    assert!(
        sent["created_at"].as_i64().unwrap() > 1_577_327_594_231,
        "Unix milliseconds"
    );
    let read = community
        .sendbird()
        .get(&format!("{ROOM}/{number}?with_sorted_meta_array=true"))
        .await;
    let read = read.expect(200);
    for field in [
        "message_id",
        "message",
        "user",
        "created_at",
        "custom_type",
        "data",
    ] {
        assert_eq!(read[field], sent[field], "{field}");
    }
}

#[tokio::test]
async fn files_and_administrative_messages_are_sent_too() {
    let community = Community::start().await;
    let file = json!({ "url": "https://cdn.example.org/a.png", "name": "a.png", "type": "image/png", "size": 20480 });
    let body = json!({ "message_type": "FILE", "user_id": "ada", "files": [file] });
    let sent = community.sendbird().post(ROOM, &body).await.expect(200);
    assert_eq!(sent["type"], "FILE");
    assert_eq!(sent["files"][0]["url"], "https://cdn.example.org/a.png");
    let body = json!({ "message_type": "ADMM", "message": "Maintenance at noon" });
    let sent = community.sendbird().post(ROOM, &body).await.expect(200);
    assert_eq!(
        [&sent["type"], &sent["message"]],
        ["ADMM", "Maintenance at noon"]
    );
    // Nobody replies to the administration.
    let reply = json!({ "message_type": "MESG", "user_id": "ada", "message": "Why?",
                        "parent_message_id": sent["message_id"] });
    let refused = community.sendbird().post(ROOM, &reply).await;
    assert_eq!(refused.status, 400, "{}", refused.body);
}

#[tokio::test]
async fn a_thread_hangs_on_its_parent() {
    let community = Community::start().await;
    let parent = send(&community, "ada", "Question").await["message_id"]
        .as_i64()
        .unwrap();
    let mut replies = Vec::new();
    for text in ["First", "Second"] {
        let body = json!({ "message_type": "MESG", "user_id": "grace", "message": text, "parent_message_id": parent });
        let reply = community.sendbird().post(ROOM, &body).await.expect(200);
        assert_eq!(reply["parent_message_id"], parent);
        replies.push(reply["message_id"].as_i64().unwrap());
    }
    let path = format!("{ROOM}/{parent}?include_thread_info=true");
    let asked = community.sendbird().get(&path).await.expect(200);
    assert_eq!(asked["thread_info"]["reply_count"], 2);
    let path = format!(
        "{ROOM}?parent_message_id={parent}&message_ts=9000000000000&include_thread_info=true"
    );
    let thread = community.sendbird().get(&path).await.expect(200);
    let listed = numbers(&thread);
    // The parent may stand before its replies; they come in the order of time.
    let listed: Vec<_> = listed
        .into_iter()
        .filter(|number| *number != parent)
        .collect();
    assert_eq!(listed, replies);
    let top = format!("{ROOM}?message_ts=9000000000000&include_reply_type=NONE");
    let top = numbers(&community.sendbird().get(&top).await.expect(200));
    assert!(top.contains(&parent) && !replies.iter().any(|reply| top.contains(reply)));
}

#[tokio::test]
async fn a_list_goes_both_ways_from_a_message_or_a_time() {
    let community = Community::start().await;
    let mut sent = Vec::new();
    for n in 0..6 {
        sent.push(
            send(&community, "ada", &format!("n{n}")).await["message_id"]
                .as_i64()
                .unwrap(),
        );
    }
    let list = async |query: String| {
        numbers(
            &community
                .sendbird()
                .get(&format!("{ROOM}?{query}"))
                .await
                .expect(200),
        )
    };
    let middle = sent[3];
    let around = list(format!("message_id={middle}&prev_limit=2&next_limit=2")).await;
    assert_eq!(around, sent[1..6]);
    let without = list(format!(
        "message_id={middle}&prev_limit=2&next_limit=2&include=false"
    ))
    .await;
    assert_eq!(without, [sent[1], sent[2], sent[4], sent[5]]);
    let reversed = list(format!(
        "message_id={middle}&prev_limit=1&next_limit=1&reverse=true"
    ))
    .await;
    assert_eq!(reversed, [sent[4], sent[3], sent[2]]);
    let newest = list("message_ts=9000000000000&prev_limit=3&next_limit=0".into()).await;
    assert_eq!(newest, sent[3..]);
    let nothing = list("message_ts=1&prev_limit=5&next_limit=0".into()).await;
    assert_eq!(nothing, [0; 0]);
    send(&community, "grace", "mine").await;
    let by_grace = list("message_ts=9000000000000&sender_id=grace".into()).await;
    assert_eq!(by_grace.len(), 1);
}

#[tokio::test]
async fn a_dedup_id_answers_the_first_message() {
    let community = Community::start().await;
    let body =
        json!({ "message_type": "MESG", "user_id": "ada", "message": "Once", "dedup_id": "d1" });
    let first = community.sendbird().post(ROOM, &body).await.expect(200);
    let second = community.sendbird().post(ROOM, &body).await.expect(200);
    assert_eq!(first["message_id"], second["message_id"]);
    let other =
        json!({ "message_type": "MESG", "user_id": "grace", "message": "Once", "dedup_id": "d1" });
    let other = community.sendbird().post(ROOM, &other).await.expect(200);
    assert_ne!(
        first["message_id"], other["message_id"],
        "a dedup_id is its sender's own"
    );
    let other =
        json!({ "message_type": "MESG", "user_id": "ada", "message": "Other", "dedup_id": "d1" });
    let other = community.sendbird().post(ROOM, &other).await.expect(400);
    let message = other["message"].as_str().unwrap();
    assert!(message.starts_with("dedup_id"), "{other}");
}

#[tokio::test]
async fn a_dedup_id_is_that_of_its_channel() {
    let community = Community::start().await;
    let said =
        json!({ "message_type": "MESG", "user_id": "ada", "message": "Once", "dedup_id": "d1" });
    let first = community.sendbird().post(ROOM, &said).await.expect(200);
    let pair = json!({ "topic": "Pair", "channelType": "dm", "participants": ["ada", "grace"] });
    let pair = community.channel(&pair).await;
    let there = format!("/v3/group_channels/{pair}/messages");
    let other = community.sendbird().post(&there, &said).await.expect(200);
    assert_ne!(first["message_id"], other["message_id"]);
    let stored = format!("{there}/{}", other["message_id"]);
    community.sendbird().get(&stored).await.expect(200);
    let mut reply = said.clone();
    reply["parent_message_id"] = first["message_id"].clone();
    // A reply is another message than the one that it answers.
    community.sendbird().post(ROOM, &reply).await.expect(400);
}

#[tokio::test]
async fn a_dedup_id_and_an_idempotency_key_guard_at_once() {
    let community = Community::start().await;
    let said =
        json!({ "message_type": "MESG", "user_id": "ada", "message": "Once", "dedup_id": "d1" });
    let send = async |key: &str, said: &Value| {
        let call = community.sendbird().call(Method::POST, ROOM);
        call.idempotency_key(key).json(said).send().await
    };
    let first = send("one", &said).await.expect(200);
    let second = send("two", &said).await;
    assert_eq!(second.header("idempotent-replayed"), Some("true"));
    assert_eq!(second.expect(200), first);
    // The fresh key was given the answer of the dedup_id, and stands for that request now.
    assert_eq!(send("two", &said).await.expect(200), first);
    let mut other = said.clone();
    other["dedup_id"] = "d2".into();
    send("two", &other).await.expect(400);
}

#[tokio::test]
async fn reactions_are_added_listed_and_removed() {
    let community = Community::start().await;
    let number = send(&community, "ada", "React to me").await["message_id"]
        .as_i64()
        .unwrap();
    let path = format!("{ROOM}/{number}/reactions");
    let add = async |user: &str, key: &str| {
        let body = json!({ "user_id": user, "reaction": key });
        community.sendbird().post(&path, &body).await.expect(200)
    };
    assert_eq!(add("ada", "smile").await["success"], true);
    assert_eq!(add("grace", "smile").await["success"], true);
    assert_eq!(add("grace", "my_own_key").await["success"], true);
    let again = add("grace", "smile").await;
    assert_eq!(again["success"], false);
    assert!(again.get("updated_at").is_none(), "{again}");
    let list = async |query: &str| {
        community
            .sendbird()
            .get(&format!("{path}{query}"))
            .await
            .expect(200)
    };
    assert_eq!(list("").await, json!({ "smile": 2, "my_own_key": 1 }));
    let users = json!({ "smile": ["ada", "grace"], "my_own_key": ["grace"] });
    assert_eq!(list("?list_users=true").await, users);
    let read = community
        .sendbird()
        .get(&format!("{ROOM}/{number}?include_reactions=true"))
        .await;
    let smile = &read.expect(200)["reactions"][0];
    assert_eq!(smile["key"], "smile");
    assert_eq!(smile["user_ids"], json!(["ada", "grace"]));

    let remove = format!("{path}?user_id=grace&reaction=smile");
    let removed = community.sendbird().delete(&remove).await.expect(200);
    assert_eq!(
        [
            &removed["operation"],
            &removed["user_id"],
            &removed["reaction"]
        ],
        ["DELETE", "grace", "smile"]
    );
    assert_eq!(removed["success"], true);
    assert!(removed["updated_at"].is_i64());
    assert_eq!(
        community.sendbird().delete(&remove).await.expect(200)["success"],
        false
    );
    assert_eq!(list("").await, json!({ "smile": 1, "my_own_key": 1 }));
}

#[tokio::test]
async fn a_message_takes_twenty_different_reactions() {
    let community = Community::start().await;
    let number = send(&community, "ada", "Popular").await["message_id"]
        .as_i64()
        .unwrap();
    let path = format!("{ROOM}/{number}/reactions");
    let add = async |key: usize| {
        let body = json!({ "user_id": "ada", "reaction": format!("key{key}") });
        community.sendbird().post(&path, &body).await
    };
    for key in 0..20 {
        add(key).await.expect(200);
    }
    assert_eq!(add(20).await.expect(400)["code"], 400_203);
    assert_eq!(add(7).await.expect(200)["success"], false);
}

#[tokio::test]
async fn channels_are_named_by_url_or_id_and_open_ones_are_open() {
    let community = Community::start().await;
    let body = json!({ "message_type": "MESG", "user_id": "ada", "message": "Hi" });
    let general = community.demo.channel("general");
    for path in [
        format!("/v3/open_channels/{general}/messages"),
        format!(
            "/v3/group_channels/{}/messages",
            community.demo.channel("dm")
        ),
    ] {
        community.sendbird().post(&path, &body).await.expect(200);
    }
}
