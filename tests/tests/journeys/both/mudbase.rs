//! The Mudbase facade: shapes and errors (contract: mudbase).

use guildhall_proto::messaging::v1::{
    ListMessagesRequest, message_service_client::MessageServiceClient,
};
use guildhall_testkit::grpc::signed;
use guildhall_tests::{
    Community, Differences, Family, Operation, Parameters, Refusal, operation::Kind,
};
use http::Method;
use serde_json::{Value, json};

fn messages(community: &Community) -> String {
    community
        .parameters()
        .fill("/api/chat/projects/{project}/chats/{chat}/messages")
}

fn reactions(community: &Community) -> String {
    community
        .parameters()
        .fill("/api/chat/projects/{project}/chats/{chat}/messages/{chat_message}/reactions")
}

#[tokio::test]
async fn messages_have_the_documented_shapes() {
    let community = Community::start().await;
    let (ada, path) = (community.demo.user("ada"), messages(&community));
    let body = json!({ "type": "text", "content": "Hello everyone", "replyTo": null });
    let sent = community.member("ada").post(&path, &body).await.expect(201);
    assert_eq!(sent["success"], true);
    let sent = &sent["data"];
    assert_eq!(sent["content"], "Hello everyone");
    assert_eq!(sent["sender"], ada._id.as_str(), "the bare id here");
    assert!(sent["createdAt"].as_str().unwrap().ends_with('Z'));

    let reply =
        json!({ "type": "text", "content": "Hi", "replyTo": sent["_id"], "mentions": [ada._id] });
    let reply = community
        .member("grace")
        .post(&path, &reply)
        .await
        .expect(201);

    let listed = community.member("johndoe").get(&path).await.expect(200);
    assert_eq!(listed["success"], true);
    assert_eq!(listed["data"]["total"], 3);
    let messages = listed["data"]["messages"].as_array().unwrap();
    assert_eq!(messages[0]["_id"], reply["data"]["_id"], "newest first");
    assert_eq!(messages[0]["replyTo"], sent["_id"]);
    assert_eq!(messages[0]["mentions"], json!([ada._id]));
    assert_eq!(
        messages[1]["sender"],
        json!({ "_id": ada._id, "firstName": "Ada" })
    );
    assert_eq!(messages[1]["createdAt"], sent["createdAt"]);

    let by_slug = path.replace(&community.demo.community_id, &community.slug());
    let by_slug = community.member("johndoe").get(&by_slug).await.expect(200);
    assert_eq!(by_slug, listed, "a project is named by id or slug");
}

#[tokio::test]
async fn a_list_is_paged_and_bounded_in_time() {
    let community = Community::start().await;
    let path = messages(&community);
    for n in 0..5 {
        let body = json!({ "type": "text", "content": format!("n{n}") });
        community.member("ada").post(&path, &body).await.expect(201);
    }
    let list = async |query: &str| {
        let listed = community
            .member("ada")
            .get(&format!("{path}?{query}"))
            .await
            .expect(200);
        let messages = listed["data"]["messages"].as_array().unwrap().clone();
        messages
            .into_iter()
            .map(|mut message| message["content"].take())
            .collect::<Vec<_>>()
    };
    assert_eq!(list("page=1&limit=2").await, ["n4", "n3"]);
    assert_eq!(list("page=2&limit=2").await, ["n2", "n1"]);
    assert_eq!(list("page=3&limit=2").await, ["n0", "Welcome, team"]);
    assert_eq!(list("page=4&limit=2").await, [""; 0]);
    assert_eq!(list("before=2020-01-01T00:00:00.000Z").await, [""; 0]);
    assert_eq!(list("after=2020-01-01T00:00:00.000Z").await.len(), 6);
}

#[tokio::test]
async fn an_encrypted_message_shows_its_payload_here_and_nowhere_else() {
    let community = Community::start().await;
    let path = messages(&community);
    let payload = json!({
        "version": 1, "scheme": "mudbase-e2ee-v1", "ciphertext": "Y2lwaGVy", "nonce": "bm9uY2U=",
        "ephemeralPublicKey": "a2V5", "senderKeyId": "key-1"
    });
    let body = json!({ "type": "text", "e2ee": payload });
    let sent = community.member("ada").post(&path, &body).await.expect(201);
    let id = sent["data"]["_id"].as_str().unwrap();
    let listed = community.member("grace").get(&path).await.expect(200);
    assert_eq!(listed["data"]["messages"][0]["e2ee"], payload);
    let room = format!(
        "/v3/group_channels/{}/messages?message_ts=9000000000000",
        community.demo.sendbird.channel_url
    );
    let seen = community.sendbird().get(&room).await.expect(200);
    assert_eq!(seen["messages"].as_array().unwrap().len(), 1);
    let mine = community.bearer(&community.demo.user_api_key);
    let seen = mine
        .get(&format!(
            "/v1/messages?channel_id={}",
            community.demo.channel("dm")
        ))
        .await;
    assert_eq!(seen.expect(200)["data"]["total"], 1);
    let reply = json!({ "messageId": id, "message": "x", "sender": "johndoe" });
    let react = json!({ "messageId": id, "emoji": "👍", "sender": "johndoe" });
    for answer in [
        mine.get(&format!("/v1/messages/{id}")).await,
        mine.get(&format!("/v1/messages/{id}/reactions")).await,
        mine.post("/v1/messages/reply", &reply).await,
        mine.post("/v1/messages/react", &react).await,
    ] {
        Family::E1.refuses(&answer, Refusal::NotFound);
    }
    let number = number_of(&community, id).await;
    let parameters = Parameters {
        number,
        ..community.parameters()
    };
    for sendbird in ["sb-messages-get", "sb-reactions-list", "sb-reactions-add"] {
        let token = community.credential(Kind::SendbirdToken);
        let answer = Operation::named(sendbird)
            .make(&community.rest, &parameters, &token)
            .await;
        Family::Sendbird.refuses(&answer, Refusal::NotFound);
    }
    // Its readers react to it here.
    let path = format!("{path}/{id}/reactions");
    community
        .member("grace")
        .post(&path, &json!({ "emoji": "👍" }))
        .await
        .expect(200);
}

/// The integer id of a message of the demo's chat, encrypted or not.
async fn number_of(community: &Community, id: &str) -> i64 {
    let request = ListMessagesRequest {
        channel: community.demo.channel("dm").to_owned(),
        include_encrypted: true,
        ..Default::default()
    };
    let request = signed(
        request,
        &format!("Bearer {}", community.demo.user("ada").jwt),
    );
    let mut messages = MessageServiceClient::new(community.services.clone());
    let list = messages
        .list_messages(request)
        .await
        .unwrap()
        .into_inner()
        .messages;
    list.iter().find(|message| message.id == id).unwrap().number
}

#[tokio::test]
async fn reactions_are_the_whole_list_after_each_change() {
    let community = Community::start().await;
    let (ada, grace, path) = (
        &community.demo.user("ada")._id,
        &community.demo.user("grace")._id,
        reactions(&community),
    );
    let thumb = json!({ "emoji": "👍" });
    for member in ["ada", "grace", "grace"] {
        community
            .member(member)
            .post(&path, &thumb)
            .await
            .expect(200);
    }
    let heart = json!({ "emoji": "❤️" });
    let both = community
        .member("ada")
        .post(&path, &heart)
        .await
        .expect(200);
    let expected = json!([
        { "emoji": "👍", "users": [ada, grace], "count": 2 },
        { "emoji": "❤️", "users": [ada], "count": 1 }
    ]);
    assert_eq!(both["data"], expected);
    let removed = community
        .member("ada")
        .delete_with(&path, &thumb)
        .await
        .expect(200);
    let expected = json!([
        { "emoji": "👍", "users": [grace], "count": 1 },
        { "emoji": "❤️", "users": [ada], "count": 1 }
    ]);
    assert_eq!(removed["data"], expected);
    let again = community.member("ada").delete_with(&path, &thumb).await;
    Family::Mudbase.refuses(&again, Refusal::Invalid);
}

#[tokio::test]
async fn errors_name_the_field_and_write_nothing() {
    let community = Community::start().await;
    let (path, reactions) = (messages(&community), reactions(&community));
    let unknown = "0123456789abcdef01234567";
    let payload = json!({ "version": 1, "scheme": "mudbase-e2ee-v1", "ciphertext": "Y2lwaGVy",
                          "nonce": "bm9uY2U=", "ephemeralPublicKey": "a2V5", "senderKeyId": "key-1" });
    let send = |what, body: Value| {
        (
            what,
            Method::POST,
            path.clone(),
            Some(body),
            Refusal::Invalid,
        )
    };
    let react = |what, body: Value| {
        (
            what,
            Method::POST,
            reactions.clone(),
            Some(body),
            Refusal::Invalid,
        )
    };
    let get = |what, path: String, refusal| (what, Method::GET, path, None, refusal);
    let parameters = community.parameters();
    let cases = [
        send("no type", json!({ "content": "x" })),
        send("an unknown type", json!({ "type": "poem", "content": "x" })),
        send("no content", json!({ "type": "text" })),
        send(
            "an empty content",
            json!({ "type": "text", "content": " " }),
        ),
        send(
            "a number for the content",
            json!({ "type": "text", "content": 1 }),
        ),
        send(
            "content and e2ee",
            json!({ "type": "text", "content": "x", "e2ee": payload }),
        ),
        send(
            "e2ee that is no text",
            json!({ "type": "image", "e2ee": payload }),
        ),
        send(
            "another scheme",
            json!({ "type": "text", "e2ee": { "version": 1, "scheme": "rot13" } }),
        ),
        send(
            "a malformed parent",
            json!({ "type": "text", "content": "x", "replyTo": "x" }),
        ),
        send(
            "a malformed mention",
            json!({ "type": "text", "content": "x", "mentions": "ada" }),
        ),
        react("no emoji", json!({})),
        react("an empty emoji", json!({ "emoji": "" })),
        react("a number for the emoji", json!({ "emoji": 1 })),
        (
            "an unknown parent",
            Method::POST,
            path.clone(),
            Some(json!({ "type": "text", "content": "x", "replyTo": unknown })),
            Refusal::NotFound,
        ),
        (
            "an unknown message",
            Method::POST,
            reactions.replace(&parameters.chat_message, unknown),
            Some(json!({ "emoji": "👍" })),
            Refusal::NotFound,
        ),
        get(
            "an unknown chat",
            path.replace(&parameters.chat, unknown),
            Refusal::NotFound,
        ),
        get(
            "an unknown project",
            path.replace(&parameters.project, unknown),
            Refusal::NotFound,
        ),
        get(
            "an unknown slug",
            path.replace(&parameters.project, "nobodys"),
            Refusal::NotFound,
        ),
        get(
            "a malformed chat",
            path.replace(&parameters.chat, "r3444rf556tg"),
            Refusal::Invalid,
        ),
        get("page 0", format!("{path}?page=0"), Refusal::Invalid),
        get(
            "a limit of a word",
            format!("{path}?limit=many"),
            Refusal::Invalid,
        ),
        get(
            "a time that is none",
            format!("{path}?before=yesterday"),
            Refusal::Invalid,
        ),
    ];
    let mut differences = Differences::default();
    for (what, method, path, body, refusal) in cases {
        let call = community.member("johndoe").call(method, &path);
        let call = match &body {
            Some(body) => call.json(body),
            None => call,
        };
        differences.note(what, Family::Mudbase.check(&call.send().await, refusal));
    }
    differences.assert_none();
    let listed = community.member("johndoe").get(&path).await.expect(200);
    assert_eq!(listed["data"]["total"], 1, "nothing was written");
    let named = community
        .member("johndoe")
        .post(&path, &json!({ "content": "x" }))
        .await;
    assert!(
        named.expect(400)["details"]["type"].is_string(),
        "{}",
        named.body
    );
}

#[tokio::test]
async fn a_channel_of_the_other_apis_is_a_chat_with_its_rules() {
    let community = Community::start().await;
    let path = |chat: &str| {
        format!(
            "/api/chat/projects/{}/chats/{chat}/messages",
            community.demo.community_id
        )
    };
    let body = json!({ "type": "text", "content": "Hi" });
    let general = path(community.demo.channel("general"));
    community
        .member("grace")
        .post(&general, &body)
        .await
        .expect(201);
    let announcements = path(community.demo.channel("announcements"));
    community
        .member("johndoe")
        .post(&announcements, &body)
        .await
        .expect(201);
    let refused = community.member("grace").post(&announcements, &body).await;
    Family::Mudbase.refuses(&refused, Refusal::Forbidden);
    community
        .member("grace")
        .get(&announcements)
        .await
        .expect(200);
}
