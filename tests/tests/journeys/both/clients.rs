//! Requests as the vendors' own clients write them, and answers that do not depend on how a record was
//! named.

use guildhall_tests::Community;
use serde_json::{Value, json};

/// The demo's group channel.
const ROOM: &str = "/v3/group_channels/demo-group/messages";

async fn send(community: &Community, changes: Value) -> guildhall_testkit::Answer {
    let mut body = json!({ "message_type": "MESG", "user_id": "ada", "message": "Hi" });
    for (field, value) in changes.as_object().unwrap() {
        body[field] = value.clone();
    }
    community.sendbird().post(ROOM, &body).await
}

fn code(answer: &guildhall_testkit::Answer) -> i64 {
    answer.expect(400)["code"].as_i64().unwrap()
}

#[tokio::test]
async fn a_list_takes_a_time_and_a_message_as_the_python_package_sends_them() {
    let community = Community::start().await;
    let mut numbers = Vec::new();
    for n in 0..3 {
        let sent = send(&community, json!({ "message": format!("n{n}") }))
            .await
            .expect(200);
        numbers.push(sent["message_id"].as_i64().unwrap());
    }
    let listed = async |query: &str| {
        let path = format!("{ROOM}?include_reactions=True&next_limit=0&prev_limit=1&{query}");
        let list = community.sendbird().get(&path).await.expect(200);
        let messages = list["messages"].as_array().unwrap().iter();
        let ids = messages.map(|message| message["message_id"].as_i64().unwrap());
        ids.collect::<Vec<_>>()
    };
    let far = "message_ts=9000000000000";
    let of_message = listed(&format!("{far}&message_id={}", numbers[1])).await;
    assert!(of_message.ends_with(&numbers[..2]) || of_message.ends_with(&[numbers[1]]));
    assert!(!of_message.contains(&numbers[2]), "the message wins");
    // A message that is not in the channel says nothing, and 0 is how the package says nothing.
    for nothing in ["message_id=0", "message_id=999999999999"] {
        let of_time = listed(&format!("{far}&{nothing}")).await;
        assert_eq!(of_time.last(), Some(&numbers[2]), "{nothing}");
    }
    assert_eq!(
        code(
            &community
                .sendbird()
                .get(&format!("{ROOM}?message_id=0"))
                .await
        ),
        400_105
    );
}

#[tokio::test]
async fn a_channel_and_a_member_are_answered_by_their_own_names() {
    let community = Community::start().await;
    let sent = send(&community, json!({ "user_id": "ADA" }))
        .await
        .expect(200);
    assert_eq!(sent["user"]["user_id"], "ada");
    let number = &sent["message_id"];
    let by_id = ROOM.replace("demo-group", &community.demo.mudbase.chat_id.to_uppercase());
    let found = community
        .sendbird()
        .get(&format!("{by_id}/{number}"))
        .await
        .expect(200);
    assert_eq!(
        found["channel_url"], "demo-group",
        "however it was asked for"
    );

    let body = json!({ "user_id": "ADA", "reaction": "🎉" });
    let path = format!("{ROOM}/{number}/reactions");
    let added = community.sendbird().post(&path, &body).await.expect(200);
    assert_eq!(
        (&added["user_id"], &added["reaction"]),
        (&json!("ada"), &json!("party"))
    );
    let listed = community
        .sendbird()
        .get(&format!("{path}?list_users=1"))
        .await
        .expect(200);
    assert_eq!(listed, json!({ "party": ["ada"] }));
}

#[tokio::test]
async fn what_a_message_carries_is_checked_and_never_dropped() {
    let community = Community::start().await;
    let file = |url: &str, size: i64| json!({ "url": url, "name": "a", "size": size });
    for (refused, why) in [
        (
            json!({ "message_type": "FILE", "files": [file("javascript:alert(1)", 1)] }),
            400_111,
        ),
        (
            json!({ "message_type": "FILE", "files": [file("/relative", 1)] }),
            400_111,
        ),
        (
            json!({ "message_type": "FILE", "url": "data:text/html,x" }),
            400_111,
        ),
        (
            json!({ "message_type": "FILE", "files": [file("https://x.example/a", -5)] }),
            400_113,
        ),
        (
            json!({ "files": [file("https://x.example/a", 5)] }),
            400_111,
        ),
        (json!({ "url": "https://x.example/a" }), 400_111),
        (json!({ "file_name": "a.png" }), 400_111),
        (
            json!({ "message_type": "FILE", "url": "https:///x" }),
            400_111,
        ),
        (
            json!({ "message_type": "FILE", "url": "https://u:p@x.example/a" }),
            400_111,
        ),
        (
            json!({ "message_type": "FILE", "url": "https://x.example/a", "files": [file("https://x.example/b", 1)] }),
            400_111,
        ),
        (json!({ "is_reply_to_channel": true }), 400_111),
    ] {
        assert_eq!(
            code(&send(&community, refused.clone()).await),
            why,
            "{refused}"
        );
    }
    let mentioned = json!({ "mentioned_user_ids": ["grace", "nobody", "GRACE", "ada\u{0}"] });
    let sent = send(&community, mentioned).await.expect(200);
    let users = sent["mentioned_users"].as_array().unwrap();
    assert_eq!(
        users.len(),
        1,
        "who is not there is not shown as a member: {sent}"
    );
    assert_eq!(
        (&users[0]["user_id"], &users[0]["nickname"]),
        (&json!("grace"), &json!("Grace"))
    );
    // The other dialect knows her by her id.
    let chat = community
        .parameters()
        .fill("/api/chat/projects/{project}/chats/{chat}/messages");
    let listed = community.member("ada").get(&chat).await.expect(200);
    let mentions = &listed["data"]["messages"][0]["mentions"];
    assert_eq!(*mentions, json!([community.demo.user("grace")._id]));
    let many: Vec<_> = (0..51).map(|n| format!("user{n}")).collect();
    let many = send(&community, json!({ "mentioned_user_ids": many })).await;
    assert!(
        many.expect(400)["message"]
            .as_str()
            .unwrap()
            .starts_with("mentioned_user_ids")
    );
}

#[tokio::test]
async fn a_forum_is_no_channel_of_the_facades() {
    let community = Community::start().await;
    let forum = community.demo.channel("forum");
    let room = format!("/v3/group_channels/{forum}/messages");
    let body = json!({ "message_type": "MESG", "user_id": "ada", "message": "Hi" });
    assert_eq!(
        code(&community.sendbird().post(&room, &body).await),
        400_201
    );
    let list = format!("{room}?message_ts=9000000000000");
    assert_eq!(code(&community.sendbird().get(&list).await), 400_201);
    let chat = format!(
        "/api/chat/projects/{}/chats/{forum}/messages",
        community.demo.community_id
    );
    let body = json!({ "type": "text", "content": "Hi" });
    community.member("ada").post(&chat, &body).await.expect(404);
    community.member("ada").get(&chat).await.expect(404);
}

#[tokio::test]
async fn a_time_is_read_as_clients_write_it() {
    let community = Community::start().await;
    let chat = community
        .parameters()
        .fill("/api/chat/projects/{project}/chats/{chat}/messages");
    let listed = async |time: &str| {
        let list = community
            .member("ada")
            .get(&format!("{chat}?before={time}"))
            .await;
        list.expect(200)["data"]["messages"]
            .as_array()
            .unwrap()
            .len()
    };
    for time in [
        "2100-01-02T03:04:05.678901+0000",
        "2100-01-02T03:04:05.678901%2B0000",
        "2100-01-02T03:04:05.678901+00:00",
        "2100-01-02T03:04:05.678901234Z",
        "2100-01-02T03:04:05.678",
        "2100-01-02T03:04:05",
        "2100-01-02",
    ] {
        assert_eq!(listed(time).await, 1, "{time}");
    }
    let refused = community
        .member("ada")
        .get(&format!("{chat}?before=noon"))
        .await;
    assert!(refused.expect(400)["details"]["before"].is_string());
}

#[tokio::test]
async fn a_reaction_that_is_named_in_two_ways_is_not_removed() {
    let community = Community::start().await;
    let message = &community.demo.message_id;
    for emoji in ["tada", "+1"] {
        let body = json!({ "messageId": message, "emoji": emoji, "sender": "ada" });
        community
            .integrator()
            .post("/v1/messages/react", &body)
            .await
            .expect(200);
    }
    let remove = async |query: &str, body: Value| {
        let path = format!("/v1/messages/{message}/reactions?{query}");
        let call = community.integrator().call(http::Method::DELETE, &path);
        call.json(&body).send().await
    };
    for (query, body, field) in [
        ("emoji=tada&sender=ada", json!({ "emoji": "+1" }), "emoji"),
        (
            "emoji=tada&sender=ada",
            json!({ "sender": "grace" }),
            "sender",
        ),
        (
            "emoji=tada&sender=ada&messageId=0123456789abcdef01234567",
            json!({}),
            "messageId",
        ),
    ] {
        let refused = remove(query, body).await.expect(400);
        assert_eq!(refused["errors"][0]["field"], field, "{refused}");
    }
    let reactions = community
        .data(&format!("/v1/messages/{message}/reactions"))
        .await;
    assert_eq!(reactions["total"], 2, "nothing was removed");
    remove("emoji=tada&sender=ada", json!({ "emoji": "tada" }))
        .await
        .expect(200);
}
