//! Whatever a caller sends is answered in the contract's words, and leaves nothing behind.

use guildhall_testkit::Answer;
use guildhall_tests::{
    Community, Credential, Differences, Family, OPERATIONS, Operation, Parameters, Records,
    Refusal, parameters::UNKNOWN,
};
use serde_json::{Value, json};

async fn post_raw(
    community: &Community,
    operation: &Operation,
    by: &Credential,
    body: Vec<u8>,
) -> Answer {
    let call = by.sign(operation.bare(&community.rest, &community.parameters()));
    call.header("Content-Type", "application/json")
        .body(body)
        .send()
        .await
}

#[tokio::test]
async fn a_body_that_is_no_object_is_refused() {
    let community = Community::with_all_records().await;
    let before = community.fingerprint().await;
    let deep = [b"[".repeat(100_000), b"]".repeat(100_000)].concat();
    let mut differences = Differences::default();
    for (operation, by, good) in community.operations_with_body() {
        let good = Value::Object(good).to_string();
        let name = good_name(&good);
        let bodies: [(&str, Vec<u8>); 15] = [
            ("nothing", vec![]),
            ("a brace", b"{".to_vec()),
            ("half a body", good.as_bytes()[..good.len() / 2].to_vec()),
            ("a body and a half", format!("{good}{{").into_bytes()),
            ("two bodies", format!("{good}{good}").into_bytes()),
            ("single quotes", good.replace('"', "'").into_bytes()),
            ("a trailing comma", good.replace('}', ",}").into_bytes()),
            ("null", b"null".to_vec()),
            ("a number", b"42".to_vec()),
            ("a text", b"\"text\"".to_vec()),
            ("a list", format!("[{good}]").into_bytes()),
            (
                "a name twice",
                good.replacen('{', &format!("{{\"{name}\":\"other\","), 1)
                    .into_bytes(),
            ),
            ("100,000 lists", deep.clone()),
            ("a bare NUL", good.replace(':', ":\0").into_bytes()),
            (
                "bytes that are no UTF-8",
                [good.as_bytes(), b"\xff\xfe"].concat(),
            ),
        ];
        // A change may change nothing.
        let bodies = bodies.into_iter().skip(usize::from(is_change(operation)));
        for (what, body) in bodies {
            let answer = post_raw(&community, operation, &by, body).await;
            let case = format!("{} with {what}", operation.id);
            differences.note(case, operation.family.check(&answer, Refusal::Invalid));
        }
    }
    differences.assert_none();
    community.fingerprint().await.assert_is(&before);
}

/// The first name in an object.
fn good_name(object: &str) -> &str {
    object.split('"').nth(1).unwrap_or_default()
}

/// Whether an operation changes what its body names, and leaves alone what it does not.
fn is_change(operation: &Operation) -> bool {
    operation.method == http::Method::PATCH
}

#[tokio::test]
async fn a_field_that_is_missing_or_of_another_type_is_refused() {
    let community = Community::with_all_records().await;
    let before = community.fingerprint().await;
    let wrong = [
        json!(null),
        json!(7),
        json!(1.5),
        json!(true),
        json!([]),
        json!({}),
        json!(["x"]),
    ];
    let mut differences = Differences::default();
    for (operation, by, good) in community.operations_with_body() {
        for field in good.keys() {
            let mut without = good.clone();
            without.remove(field);
            let mut bodies = vec![without];
            if is_change(operation) {
                bodies.clear();
            }
            for value in wrong.iter().skip(usize::from(is_change(operation))) {
                let mut body = good.clone();
                body.insert(field.clone(), value.clone());
                bodies.push(body);
            }
            for body in bodies {
                let body = Value::Object(body).to_string();
                let answer = post_raw(&community, operation, &by, body.clone().into_bytes()).await;
                let case = format!("{} with {body}", operation.id);
                differences.note(case, operation.family.check(&answer, Refusal::Invalid));
            }
        }
    }
    differences.assert_none();
    community.fingerprint().await.assert_is(&before);
}

#[tokio::test]
async fn a_mistake_is_named_as_the_caller_spelled_it() {
    let community = Community::with_all_records().await;
    let (channel, message) = (
        community.demo.channel("general"),
        &community.demo.message_id,
    );
    let forum = community.demo.channel("forum");
    for (path, body, field) in [
        (
            "send",
            json!({ "channelId": "x", "message": "Hi", "sender": "ada" }),
            "channelId",
        ),
        (
            "send",
            json!({ "channelId": channel, "message": "", "sender": "ada" }),
            "message",
        ),
        (
            "send",
            json!({ "channelId": channel, "message": "Hi" }),
            "sender",
        ),
        (
            "send",
            json!({ "channelId": channel, "message": 7, "sender": "ada" }),
            "message",
        ),
        (
            "send",
            json!({ "channelId": forum, "message": "Hi", "sender": "ada", "forumTopicId": "x" }),
            "forumTopicId",
        ),
        (
            "reply",
            json!({ "message": "Hi", "sender": "ada" }),
            "messageId",
        ),
        (
            "react",
            json!({ "messageId": message, "emoji": "", "sender": "ada" }),
            "emoji",
        ),
    ] {
        let answer = community
            .integrator()
            .post(&format!("/v1/messages/{path}"), &body)
            .await;
        Family::E1.refuses(&answer, Refusal::Invalid);
        assert_eq!(
            answer.json()["errors"][0]["field"],
            field,
            "{body}: {}",
            answer.body
        );
    }
    let query = community.integrator().get("/v1/messages?count=0").await;
    assert_eq!(query.expect(400)["errors"][0]["field"], "count");
    let path = "/v1/messages?forum_topic_id=x";
    let query = community.integrator().get(path).await.expect(400);
    assert_eq!(query["errors"][0]["field"], "forum_topic_id");
    let chat = community
        .parameters()
        .fill("/api/chat/projects/{project}/chats/{chat}/messages");
    let body = json!({ "type": "text", "content": "" });
    let chat = community.member("ada").post(&chat, &body).await.expect(400);
    assert!(chat["details"]["content"].is_string(), "{chat}");
}

#[tokio::test]
async fn a_text_that_cannot_be_kept_is_refused() {
    let community = Community::with_all_records().await;
    let before = community.fingerprint().await;
    let quoted = |text: &str| serde_json::to_string(text).unwrap();
    // As they stand in the body, since a JSON library would not write some of them.
    let bad = [
        ("an empty text", quoted("")),
        ("blanks", quoted(" \t\n ")),
        ("100 KB", quoted(&"x".repeat(100 * 1024))),
        ("10,001 characters", quoted(&"x".repeat(10_001))),
        ("NUL", r#""a\u0000b""#.to_owned()),
        ("a high surrogate alone", r#""a\ud83d""#.to_owned()),
        ("a low surrogate alone", r#""\ude00b""#.to_owned()),
        (
            "surrogates the wrong way round",
            r#""\ude00\ud83d""#.to_owned(),
        ),
    ];
    let mut differences = Differences::default();
    for (operation, by, mut body) in community.operations_with_body() {
        let Some(field) = operation.text else {
            continue;
        };
        body.insert(field.to_owned(), json!("@"));
        let template = Value::Object(body).to_string();
        for (what, text) in &bad {
            let body = template.replace("\"@\"", text).into_bytes();
            let answer = post_raw(&community, operation, &by, body).await;
            let case = format!("{} with {what}", operation.id);
            differences.note(case, operation.family.check(&answer, Refusal::Invalid));
        }
    }
    differences.assert_none();
    community.fingerprint().await.assert_is(&before);
}

#[tokio::test]
async fn every_character_comes_back_as_it_went() {
    let community = Community::start().await;
    let general = community.demo.channel("general");
    let longest = "👩🏽‍💻".chars().cycle().take(10_000).collect::<String>();
    let markup = r#"<script>alert("x")</script> & \ / ' "#.trim_end();
    for text in [
        "👩‍👩‍👧‍👦 👍🏽 🏴‍☠️ 🇩🇪 e\u{301} \u{200f}עברית\u{202e} \u{1f600}",
        markup,
        "a\r\nb\tc \u{7f}\u{85}\u{feff}\u{10ffff}",
        "'; DROP TABLE messages; --",
        &longest,
    ] {
        let id = community.send(general, "ada", text).await;
        let read = community.data(&format!("/v1/messages/{id}")).await;
        assert_eq!(read["message"], text);
    }
    let message = &community.demo.message_id;
    for emoji in ["👩🏽‍💻", "🏴‍☠️", ":no_such_shortcode:", "🇩🇪"] {
        let react = json!({ "messageId": message, "emoji": emoji, "sender": "ada" });
        community
            .integrator()
            .post("/v1/messages/react", &react)
            .await
            .expect(200);
    }
    let path = format!("/v1/messages/{message}/reactions");
    let reactions = community.data(&path).await;
    let emojis: Vec<_> = reactions["reactions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| &r["emoji"])
        .collect();
    assert_eq!(emojis[..2], ["👩🏽‍💻", "🏴‍☠️"]);
    assert_eq!(emojis.len(), 4);
}

#[tokio::test]
async fn an_id_is_24_hex_or_a_mistake() {
    let community = Community::with_all_records().await;
    let before = community.fingerprint().await;
    let long = "a".repeat(8_000);
    let mut differences = Differences::default();
    for id in [
        "r3444rf556tg",
        &UNKNOWN[1..],
        &format!("{UNKNOWN}0"),
        "zzzzzzzzzzzzzzzzzzzzzzzz",
        "ｆ",
        "-1",
        &long,
    ] {
        let parameters = Parameters {
            channel: id.to_owned(),
            message: id.to_owned(),
            chat: id.to_owned(),
            chat_message: id.to_owned(),
            outgoing: id.to_owned(),
            delivery: id.to_owned(),
            records: Records::all(id),
            ..community.parameters()
        };
        let named =
            |operation: &&Operation| operation.tells_apart(&parameters, &community.parameters());
        for operation in OPERATIONS.iter().filter(named) {
            let answer = operation
                .make(
                    &community.rest,
                    &parameters,
                    &community.credential(operation.kinds[0]),
                )
                .await;
            let case = format!("{} of {id:.30}", operation.id);
            differences.note(case, operation.family.check(&answer, Refusal::Invalid));
        }
        for query in ["before", "after", "parent_id", "forum_topic_id"] {
            let path = format!("/v1/messages?{query}={id}");
            let answer = community.integrator().get(&path).await;
            differences.note(
                format!("{query}={id:.30}"),
                Family::E1.check(&answer, Refusal::Invalid),
            );
        }
    }
    differences.assert_none();
    community.fingerprint().await.assert_is(&before);
}

#[tokio::test]
async fn an_unknown_record_is_not_found() {
    let community = Community::with_all_records().await;
    let nowhere = Parameters {
        channel: UNKNOWN.to_owned(),
        message: UNKNOWN.to_owned(),
        url: "no-such-url".to_owned(),
        number: 9_007_199_254_740_000,
        chat: UNKNOWN.to_owned(),
        chat_message: UNKNOWN.to_owned(),
        outgoing: UNKNOWN.to_owned(),
        delivery: UNKNOWN.to_owned(),
        records: Records::all(UNKNOWN),
        ..community.parameters()
    };
    let nobody = Parameters {
        sender: "nobody".to_owned(),
        ..community.parameters()
    };
    let mut differences = Differences::default();
    for operation in OPERATIONS.iter() {
        let by = community.credential(operation.kinds[0]);
        if operation.tells_apart(&nowhere, &community.parameters()) {
            let answer = operation.make(&community.rest, &nowhere, &by).await;
            differences.note(
                operation.id,
                operation.family.check(&answer, Refusal::NotFound),
            );
        }
        if operation.tells_apart(&nobody, &community.parameters()) {
            let answer = operation.make(&community.rest, &nobody, &by).await;
            let case = format!("{} by nobody", operation.id);
            differences.note(case, operation.family.check(&answer, Refusal::NotFound));
        }
    }
    differences.assert_none();
}

#[tokio::test]
async fn a_query_that_makes_no_sense_is_refused() {
    let community = Community::start().await;
    let mut differences = Differences::default();
    for query in [
        "count=0",
        "count=101",
        "count=-1",
        "count=ten",
        "count=1.5",
        "count=99999999999999999999",
        "email=nonsense",
        "before=2025-13-45T00:00:00Z",
        "channel_id=%00",
        "channel_id=%ff",
    ] {
        let answer = community
            .integrator()
            .get(&format!("/v1/messages?{query}"))
            .await;
        differences.note(query, Family::E1.check(&answer, Refusal::Invalid));
    }
    for path in [
        "/v1/messages/%00",
        "/v1/messages/%ff%fe",
        "/v1/messages/..%2f..%2fetc",
    ] {
        let answer = community.integrator().get(path).await;
        differences.note(path, Family::E1.check(&answer, Refusal::Invalid));
    }
    differences.assert_none();
}

/// JSON has numbers, and no integers beside them: some clients write `5.0`.
#[tokio::test]
async fn a_whole_number_is_an_integer_with_a_fraction_of_zero_too() {
    let community = Community::start().await;
    let parent = community.demo.sendbird.message_id;
    let fraction: Value = serde_json::from_str(&format!("{parent}.0")).unwrap();
    let body = json!({
        "message_type": "MESG", "user_id": "ada", "message": "Hi", "parent_message_id": fraction
    });
    let path = "/v3/group_channels/demo-group/messages";
    let sent = community.sendbird().post(path, &body).await.expect(200);
    assert_eq!(sent["parent_message_id"], json!(parent));
}
