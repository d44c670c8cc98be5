//! The rules of each kind of channel, and of keys that are bound to a member and their channels.

use guildhall_tests::{Community, Family, Refusal, key};
use serde_json::{Value, json};

#[tokio::test]
async fn a_forum_wants_a_topic() {
    let community = Community::start().await;
    let (forum, topic) = (
        community.demo.channel("forum"),
        &community.demo.forum_topic_id,
    );
    let send = async |channel: &str, topic: Option<&str>| {
        let mut body = json!({ "channelId": channel, "message": "About it", "sender": "ada" });
        if let Some(topic) = topic {
            body["forumTopicId"] = json!(topic);
        }
        community
            .integrator()
            .post("/v1/messages/send", &body)
            .await
    };
    let sent = send(forum, Some(topic)).await.expect(200);
    let reply =
        json!({ "messageId": sent["data"]["messageId"], "message": "More", "sender": "grace" });
    let replied = community
        .integrator()
        .post("/v1/messages/reply", &reply)
        .await;
    replied.expect(200);
    let listed = community
        .data(&format!("/v1/messages?forum_topic_id={topic}"))
        .await;
    assert_eq!(listed["total"], 2);
    for message in listed["messages"].as_array().unwrap() {
        assert_eq!(message["forum_topic_id"], topic.as_str());
    }

    let other = json!({ "topic": "Other forum", "channelType": "forum" });
    let other = community.channel(&other).await;
    for (channel, topic, refusal) in [
        (forum, None, Refusal::Invalid),
        (forum, Some("r3444rf556tg"), Refusal::Invalid),
        (forum, Some("0123456789abcdef01234567"), Refusal::NotFound),
        (&other, Some(topic.as_str()), Refusal::NotFound),
    ] {
        Family::E1.refuses(&send(channel, topic).await, refusal);
    }
    // Elsewhere a topic is ignored.
    send(community.demo.channel("general"), Some(topic))
        .await
        .expect(200);
}

#[tokio::test]
async fn in_an_announcement_channel_only_announcers_write_and_everybody_reacts() {
    let community = Community::start().await;
    let channel = community.demo.channel("announcements");
    let news = community.send(channel, "johndoe", "News").await;
    let send = json!({ "channelId": channel, "message": "Me too", "sender": "grace" });
    let sent = community
        .integrator()
        .post("/v1/messages/send", &send)
        .await;
    Family::E1.refuses(&sent, Refusal::Forbidden);
    let reply = json!({ "messageId": news, "message": "Me too", "sender": "grace" });
    let replied = community
        .integrator()
        .post("/v1/messages/reply", &reply)
        .await;
    Family::E1.refuses(&replied, Refusal::Forbidden);
    let react = json!({ "messageId": news, "emoji": "👍", "sender": "grace" });
    community
        .integrator()
        .post("/v1/messages/react", &react)
        .await
        .expect(200);
    assert_eq!(community.messages(channel).await.len(), 1);
}

#[tokio::test]
async fn a_direct_message_channel_is_for_its_participants_alone() {
    let community = Community::start().await;
    let pair = json!({ "topic": "Pair", "channelType": "dm", "participants": ["johndoe", "ada@example.com"] });
    let pair = community.channel(&pair).await;
    let secret = community.send(&pair, "ada", "Only you").await;
    for (action, body) in [
        (
            "send",
            json!({ "channelId": pair, "message": "x", "sender": "grace" }),
        ),
        (
            "reply",
            json!({ "messageId": secret, "message": "x", "sender": "grace" }),
        ),
        (
            "react",
            json!({ "messageId": secret, "emoji": "👍", "sender": "grace" }),
        ),
    ] {
        let answer = community
            .integrator()
            .post(&format!("/v1/messages/{action}"), &body)
            .await;
        Family::E1.refuses(&answer, Refusal::Forbidden);
    }
    let all = community.data("/v1/messages?count=100").await;
    let all = all["messages"].as_array().unwrap();
    assert!(!all.is_empty() && all.iter().all(|message| message["id"] != secret.as_str()));

    let graces = key::spec(&["getChannels", "getMessages"]);
    let graces = community.keys_of("grace").user(graces).await.text;
    for (caller, sees) in [
        (community.bearer(&community.demo.user_api_key), true),
        (community.bearer(&graces), false),
        (community.integrator(), false),
    ] {
        let channels = caller.get("/v1/channels").await.expect(200);
        let channels = channels["data"].as_array().unwrap();
        let seen = channels
            .iter()
            .any(|channel| channel["_id"] == pair.as_str());
        assert_eq!(seen, sees, "{caller:?}");
    }
    let reader = ["getMessages", "sendMessages", "replyMessages"];
    let outsider = community.bearer(
        &community
            .keys_of("grace")
            .user(key::spec(&reader))
            .await
            .text,
    );
    let reply = json!({ "messageId": secret, "message": "x" });
    let react = json!({ "messageId": secret, "emoji": "👍" });
    for answer in [
        outsider
            .get(&format!("/v1/messages?channel_id={pair}"))
            .await,
        outsider
            .get(&format!("/v1/messages?parent_id={secret}"))
            .await,
        outsider
            .get(&format!("/v1/messages?before={secret}&channel_id={pair}"))
            .await,
        outsider.get(&format!("/v1/messages/{secret}")).await,
        outsider
            .get(&format!("/v1/messages/{secret}/reactions"))
            .await,
        outsider.post("/v1/messages/reply", &reply).await,
        outsider.post("/v1/messages/react", &react).await,
    ] {
        let seen = answer.body.contains("Only you") || answer.status == 200;
        assert!(!seen && [403, 404].contains(&answer.status), "{answer:?}");
    }
    let chat = format!(
        "/api/chat/projects/{}/chats/{pair}/messages",
        community.demo.community_id
    );
    let outsider = community.member("grace").get(&chat).await;
    Family::Mudbase.refuses(&outsider, Refusal::NotFound);
    let insider = community.member("ada").get(&chat).await.expect(200);
    assert_eq!(insider["data"]["total"], 1);
}

#[tokio::test]
async fn a_user_key_acts_as_its_owner_in_its_channels_alone() {
    let community = Community::start().await;
    let (general, forum) = (
        community.demo.channel("general"),
        community.demo.channel("forum"),
    );
    let permissions = [
        "sendMessages",
        "replyMessages",
        "getMessages",
        "getChannels",
    ];
    let mut spec = key::spec(&permissions);
    spec.channel_ids = vec![general.to_owned()];
    let key = community.bearer(&community.keys_of("grace").user(spec).await.text);
    let send = async |body: Value| key.post("/v1/messages/send", &body).await;

    let own = send(json!({ "channelId": general, "message": "As myself" })).await;
    let id = own.expect(200)["data"]["messageId"].take();
    let author = community
        .message(id.as_str().unwrap())
        .await
        .author
        .unwrap();
    assert_eq!(author.username, "grace");
    let named = json!({ "channelId": general, "message": "Me", "sender": "grace@example.com" });
    send(named).await.expect(200);
    let as_other = json!({ "channelId": general, "message": "As another", "sender": "ada" });
    Family::E1.refuses(&send(as_other).await, Refusal::Forbidden);

    let topic = &community.demo.forum_topic_id;
    let elsewhere = json!({ "channelId": forum, "message": "Elsewhere", "forumTopicId": topic });
    Family::E1.refuses(&send(elsewhere).await, Refusal::Forbidden);
    let listed = key.get(&format!("/v1/messages?channel_id={forum}")).await;
    Family::E1.refuses(&listed, Refusal::Forbidden);
    let channels = key.get("/v1/channels").await.expect(200);
    let channels = channels["data"].as_array().unwrap();
    let ids: Vec<_> = channels.iter().map(|channel| &channel["_id"]).collect();
    assert_eq!(ids, [general]);

    let hidden = community
        .channel(&json!({ "topic": "Elsewhere", "channelType": "open" }))
        .await;
    let hidden = community.send(&hidden, "ada", "Not for this key").await;
    let all = key.get("/v1/messages?count=100").await.expect(200);
    let all = all["data"]["messages"].as_array().unwrap();
    assert!(
        all.iter()
            .all(|message| message["channel"]["channel_id"] == general)
    );
    let one = key.get(&format!("/v1/messages/{hidden}")).await;
    Family::E1.refuses(&one, Refusal::Forbidden);
    let react = json!({ "messageId": hidden, "emoji": "👍" });
    let react = key.post("/v1/messages/react", &react).await;
    Family::E1.refuses(&react, Refusal::Forbidden);
}
