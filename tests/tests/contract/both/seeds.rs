//! The calls of the public documentation, letter by letter, under every prefix they were shown at.

use guildhall_tests::{Community, Differences, Family, Operation, Refusal, operation::Kind};
use serde_json::json;

/// Every prefix of the contract, the bare root, and two that repeat.
const PREFIXES: [&str; 7] = [
    "/v1",
    "/apis/v1",
    "/api/v1",
    "/apis",
    "",
    "/api/v1/apis/v1",
    "/v1/v1",
];

/// The sample body of the page "Send Message", with the values of this community.
fn sample_send(community: &Community) -> String {
    format!(
        r#"{{
    "channelId": "{}",
    "message": "Hello! How is everyone doing?",
    "sender": "johndoe@example.com"
}}"#,
        community.demo.channel("general")
    )
}

/// The sample body of the page "Reply Message".
fn sample_reply(community: &Community) -> String {
    format!(
        r#"{{
    "messageId": "{}",
    "message": "<message-you-want-send>",
    "sender": "johndoe"
}}"#,
        community.demo.message_id
    )
}

/// The sample body of the page "React Message".
fn sample_react(community: &Community) -> String {
    format!(
        r#"{{
    "messageId": "{}",
    "emoji": ":sparkling_heart:",
    "sender": "johndoe@example.com"
}}"#,
        community.demo.message_id
    )
}

#[tokio::test]
async fn the_sample_calls_work_under_every_prefix() {
    let community = Community::start().await;
    let samples = [
        (
            "/messages/send",
            sample_send(&community),
            "Message send successfully",
        ),
        (
            "/messages",
            sample_send(&community),
            "Message send successfully",
        ),
        (
            "/messages/reply",
            sample_reply(&community),
            "Message reply successfully",
        ),
        (
            "/messages/react",
            sample_react(&community),
            "Message reacted successfully",
        ),
    ];
    let mut differences = Differences::default();
    for prefix in PREFIXES {
        for (path, body, text) in &samples {
            for slash in ["", "/"] {
                let path = format!("{prefix}{path}{slash}");
                let call = community.rest.post(&path).bearer(&community.demo.api_key);
                let call = call.header("Content-Type", "application/json");
                let answer = call.body(body.as_str()).send().await;
                let json = answer.json();
                let right = answer.status == 200 && json["status"] == "success";
                differences.expect(right && json["message"] == *text, &path, &answer.body);
            }
        }
    }
    differences.assert_none();
}

#[tokio::test]
async fn every_route_of_the_contract_answers_under_every_prefix() {
    let community = Community::start().await;
    let parameters = community.parameters();
    let mut differences = Differences::default();
    // Reading calls, which answer the same however often they are made.
    for id in [
        "channels-list",
        "messages-list",
        "messages-get",
        "reactions-list",
        "apikeys-info",
    ] {
        let operation = Operation::named(id);
        let (_, path) = operation.path.split_at("/v1".len());
        let canonical = community
            .integrator()
            .get(&parameters.fill(&operation.path))
            .await;
        for prefix in PREFIXES {
            let path = parameters.fill(&format!("{prefix}{path}"));
            let answer = community.integrator().get(&path).await;
            let same = (answer.status, &answer.body) == (canonical.status, &canonical.body);
            differences.expect(same, &path, format!("{} {}", answer.status, answer.body));
        }
    }
    let document = community.rest.get("/v1/openapi.json").send().await;
    for prefix in PREFIXES {
        let answer = community
            .rest
            .get(&format!("{prefix}/openapi.json"))
            .send()
            .await;
        let same = answer.status == 200 && answer.body == document.body;
        differences.expect(same, prefix, "the OpenAPI document is another one");
        let alias = community
            .integrator()
            .get(&format!("{prefix}/api-keys/info"))
            .await;
        differences.expect(alias.status == 200, prefix, alias.body);
        // Facades, health and keys have one address each.
        for path in [
            "/healthz",
            "/readyz",
            "/.well-known/jwks.json",
            "/v3/group_channels/x/messages",
        ] {
            if !prefix.is_empty() {
                let answer = community.sendbird().get(&format!("{prefix}{path}")).await;
                differences.expect(
                    answer.status == 404,
                    format!("{prefix}{path}"),
                    answer.status,
                );
            }
        }
    }
    differences.assert_none();
}

#[tokio::test]
async fn the_credential_may_be_written_as_integrations_write_it() {
    let community = Community::start().await;
    let key = &community.demo.api_key;
    let send = async |name: &str, value: String, media: Option<&str>| {
        let call = community
            .rest
            .post("/apis/v1/messages/send")
            .header(name, &value);
        let call = match media {
            Some(media) => call.header("Content-Type", media),
            None => call,
        };
        call.body(sample_send(&community)).send().await
    };
    for value in [
        format!("Bearer {key}"),
        format!("bearer {key}"),
        format!("Bearer local:{key}"),
        format!("Bearer pre-staging:{key}"),
        format!("Bearer staging:{key}"),
        format!("Bearer playground:{key}"),
    ] {
        let answer = send("Authorization", value.clone(), Some("application/json")).await;
        assert_eq!(answer.status, 200, "{value}: {}", answer.body);
    }
    // `--header 'Authorization;'` of the samples sends the header with nothing in it.
    for value in [
        "",
        "Bearer",
        "Bearer ",
        key,
        "Basic abc",
        "Bearer production:abc",
    ] {
        let answer = send("Authorization", value.to_owned(), Some("application/json")).await;
        Family::E1.refuses(&answer, Refusal::Unauthenticated);
    }
    for media in [
        None,
        Some("text/plain"),
        Some("text/plain;charset=UTF-8"),
        Some("application/json; charset=utf-8"),
        Some("Application/JSON"),
        Some("application/vnd.api+json"),
    ] {
        let answer = send("Authorization", format!("Bearer {key}"), media).await;
        assert_eq!(answer.status, 200, "{media:?}: {}", answer.body);
    }
    for name in ["X-API-Key", "x-api-key", "apiKey"] {
        let call = community
            .rest
            .get("/api/v1/channels")
            .header(name, &community.demo.system_api_key);
        let answer = call.send().await;
        assert_eq!(answer.expect(200)["meta"]["success"], true, "{name}");
    }
}

#[tokio::test]
async fn the_fake_ids_of_the_pages_are_malformed_and_not_an_accident() {
    let community = Community::start().await;
    let body = json!({
        "channelId": "r3444rf556tg",
        "message": "Hello! How is everyone doing?",
        "sender": "johndoe@gmail.com"
    });
    let answer = community
        .integrator()
        .post("/apis/v1/messages/send", &body)
        .await;
    Family::E1.refuses(&answer, Refusal::Invalid);
    let body = json!({
        "messageId": "<message-id-you-want-to-reply>",
        "emoji": "<emoji-you-want-send>",
        "sender": "<username-or-email-of-user>"
    });
    let answer = community
        .integrator()
        .post("/v1/messages/react", &body)
        .await;
    Family::E1.refuses(&answer, Refusal::Invalid);
}

#[tokio::test]
async fn both_spellings_of_a_field_are_taken() {
    let community = Community::start().await;
    let (general, message) = (
        community.demo.channel("general"),
        &community.demo.message_id,
    );
    let snake = json!({ "channel_id": general, "message": "Hi", "sender": "ada" });
    community
        .integrator()
        .post("/v1/messages/send", &snake)
        .await
        .expect(200);
    let snake = json!({ "message_id": message, "message": "Hi", "sender": "ada" });
    community
        .integrator()
        .post("/v1/messages/reply", &snake)
        .await
        .expect(200);
    let documented = community
        .data(&format!("/v1/messages?channel_id={general}&user_id=2"))
        .await;
    let camel = community
        .data(&format!("/v1/messages?channelId={general}&userId=2"))
        .await;
    assert_eq!(documented["total"], 2);
    assert_eq!(documented, camel);
    let undefined = community
        .data("/v1/messages?channel_id=undefined&email=ada@example.com")
        .await;
    assert_eq!(undefined["total"], 2);
    let title = json!({ "title": "By title", "channelType": "text" });
    let made = community
        .system()
        .post("/v1/channels", &title)
        .await
        .expect(200);
    assert_eq!(made["body"]["topic"], "By title");
    assert_eq!(made["body"]["channelType"], "open");
}

#[tokio::test]
async fn the_sendbird_page_adds_a_reaction() {
    let community = Community::start().await;
    let parameters = community.parameters();
    let path = parameters.fill("/v3/group_channels/{url}/messages/{number}/reactions");
    let call = community
        .rest
        .post(&path)
        .sendbird_token(&community.demo.sendbird.api_token);
    let body = "{\n    \"user_id\": \"ada\",\n    \"reaction\": \"celebrate\"\n}";
    let call = call.header("Content-Type", "application/json; charset=utf8");
    let answer = call.body(body).send().await.expect(200);
    let at = answer["updated_at"].as_i64().unwrap();
    assert!(at > 1_577_327_594_231, "Unix milliseconds");
    let shown = json!({
        "user_id": "ada",
        "operation": "ADD",
        "success": true,
        "reaction": "celebrate",
        "msg_id": parameters.number,
        "updated_at": at
    });
    assert_eq!(answer, shown);
}

#[tokio::test]
async fn the_mudbase_page_adds_a_reaction() {
    let community = Community::start().await;
    let operation = Operation::named("mb-reactions-add");
    let jwt = community.credential(Kind::Jwt);
    let answer = community.call(operation, &jwt).await.expect(200);
    let owner = &community.demo.users[0]._id;
    let data = json!([{ "emoji": "👍", "users": [owner], "count": 1 }]);
    assert_eq!(answer, json!({ "success": true, "data": data }));
}
