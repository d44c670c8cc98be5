//! A newcomer's way through the platform, over REST, over gRPC and across the facades.

use guildhall_proto::{
    identity::v1::{
        LoginRequest, authentication_service_client::AuthenticationServiceClient,
        login_request::Account,
    },
    messaging::v1::{
        AddReactionRequest, ListChannelsRequest, ListMessagesRequest, ListReactionsRequest,
        MessageReference, RemoveReactionRequest, ReplyMessageRequest, SendMessageRequest,
        WatchMessagesRequest, channel_service_client::ChannelServiceClient,
        message_reference::Reference, message_service_client::MessageServiceClient,
        reaction_service_client::ReactionServiceClient,
    },
};
use guildhall_testkit::grpc::signed;
use guildhall_tests::{Community, Family, Refusal};
use serde_json::{Value, json};

#[tokio::test]
async fn a_newcomer_sends_replies_and_reacts_over_rest() {
    let community = Community::start().await;
    let user = community.demo.user("grace");
    let login = json!({ "email": user.email, "password": user.password });
    let login = community
        .system()
        .post("/v1/auth/login", &login)
        .await
        .expect(200);
    assert_eq!(login["meta"]["message"], "Login successful");
    assert_eq!(login["body"]["user"]["username"], "grace");

    let newcomer = community.integrator();
    let channels = newcomer.get("/v1/channels").await.expect(200);
    let channels = channels["data"].as_array().unwrap();
    let general = channels
        .iter()
        .find(|channel| channel["topic"] == "General");
    let general = general.unwrap()["_id"].as_str().unwrap();

    let body = json!({ "channelId": general, "message": "Hi all", "sender": "grace" });
    let sent = newcomer.post("/v1/messages/send", &body).await.expect(200);
    let message = sent["data"]["messageId"].as_str().unwrap();
    let data = json!({ "messageId": message });
    assert_eq!(
        sent,
        json!({ "status": "success", "message": "Message send successfully", "data": data })
    );

    let body = json!({ "messageId": message, "message": "Welcome", "sender": "ada@example.com" });
    let replied = newcomer.post("/v1/messages/reply", &body).await.expect(200);
    let reply = replied["data"]["messageId"].as_str().unwrap();
    assert_eq!(replied["message"], "Message reply successfully");

    let body = json!({ "messageId": message, "emoji": ":sparkling_heart:", "sender": "ada" });
    let reacted = newcomer.post("/v1/messages/react", &body).await.expect(200);
    assert_eq!(
        reacted,
        json!({ "status": "success", "message": "Message reacted successfully" })
    );

    let messages = community.messages(general).await;
    assert_eq!([&messages[0]["id"], &messages[1]["id"]], [reply, message]);
    assert_eq!(messages[0]["parent_id"], message);
    let author = json!({ "user_id": user.id.to_string(), "email": user.email });
    assert_eq!(messages[1]["user"], author);
    let place = json!({ "channel_id": general, "name": "General" });
    assert_eq!(messages[1]["channel"], place);
    assert_eq!(
        messages[1]["reactions"],
        json!([{ "emoji": "💖", "count": 1 }])
    );
    assert_eq!(
        community.data(&format!("/v1/messages/{message}")).await,
        messages[1]
    );

    let path = format!("/v1/messages/{message}/reactions");
    let reactions = community.data(&format!("{path}?list_users=true")).await;
    let users = json!([{ "user_id": "2", "email": "ada@example.com" }]);
    let heart =
        json!({ "emoji": "💖", "shortcode": "sparkling_heart", "count": 1, "users": users });
    assert_eq!(reactions, json!({ "total": 1, "reactions": [heart] }));
    let reaction = json!({ "emoji": "💖", "sender": "ada" });
    let removed = newcomer.delete_with(&path, &reaction).await.expect(200);
    assert_eq!(removed["message"], "Reaction removed successfully");
    let again = newcomer.delete_with(&path, &reaction).await;
    Family::E1.refuses(&again, Refusal::NotFound);
    assert_eq!(
        community.data(&path).await,
        json!({ "total": 0, "reactions": [] })
    );
}

#[tokio::test]
async fn a_newcomer_sends_replies_and_reacts_over_grpc() {
    let community = Community::start().await;
    let user = community.demo.user("grace");
    let request = LoginRequest {
        account: Some(Account::Email(user.email.to_uppercase())),
        password: user.password.clone(),
    };
    let system = format!("SystemKey {}", community.demo.system_api_key);
    let login = AuthenticationServiceClient::new(community.services.clone())
        .login(signed(request, &system))
        .await
        .unwrap()
        .into_inner();
    let jwt = format!("Bearer {}", login.token);
    assert_eq!(login.user.unwrap().username, "grace");

    let channels = ChannelServiceClient::new(community.services.clone())
        .list_channels(signed(ListChannelsRequest::default(), &jwt))
        .await
        .unwrap()
        .into_inner()
        .channels;
    let general = channels
        .into_iter()
        .find(|channel| channel.topic == "General")
        .unwrap();

    let mut messages = MessageServiceClient::new(community.services.clone());
    let send = SendMessageRequest {
        channel: general.id.clone(),
        text: "Hi all".into(),
        ..Default::default()
    };
    let sent = messages
        .send_message(signed(send, &jwt))
        .await
        .unwrap()
        .into_inner();
    let sent = sent.message.unwrap();
    assert_eq!(sent.seq, general.last_seq + 1);
    assert_eq!(sent.author.unwrap().username, "grace");

    let by_id = |id: &str| MessageReference {
        reference: Some(Reference::Id(id.to_owned())),
        ..Default::default()
    };
    let reply = ReplyMessageRequest {
        message: Some(by_id(&sent.id)),
        text: "And to myself".into(),
        ..Default::default()
    };
    let reply = messages
        .reply_message(signed(reply, &jwt))
        .await
        .unwrap()
        .into_inner();
    let reply = reply.message.unwrap();
    assert_eq!(reply.parent.unwrap().id, sent.id);

    let mut reactions = ReactionServiceClient::new(community.services.clone());
    let add = AddReactionRequest {
        message: Some(by_id(&sent.id)),
        emoji: ":tada:".into(),
        ..Default::default()
    };
    let added = reactions
        .add_reaction(signed(add.clone(), &jwt))
        .await
        .unwrap()
        .into_inner();
    assert!(added.added);
    let again = reactions
        .add_reaction(signed(add, &jwt))
        .await
        .unwrap()
        .into_inner();
    assert!(!again.added);
    let list = ListReactionsRequest {
        message: Some(by_id(&sent.id)),
        include_users: true,
    };
    let list = reactions
        .list_reactions(signed(list, &jwt))
        .await
        .unwrap()
        .into_inner();
    let found: Vec<_> = list
        .reactions
        .iter()
        .map(|r| (r.emoji.as_str(), r.count, r.users.len()))
        .collect();
    assert_eq!(found, [("🎉", 1, 1)]);
    let remove = RemoveReactionRequest {
        message: Some(by_id(&sent.id)),
        emoji: "🎉".into(),
        ..Default::default()
    };
    let removed = reactions
        .remove_reaction(signed(remove, &jwt))
        .await
        .unwrap()
        .into_inner();
    assert!(removed.removed && removed.reactions.is_empty());

    let list = ListMessagesRequest {
        channel: general.id,
        page_size: 2,
        ..Default::default()
    };
    let list = messages
        .list_messages(signed(list, &jwt))
        .await
        .unwrap()
        .into_inner();
    let ids: Vec<_> = list.messages.iter().map(|message| &message.id).collect();
    assert_eq!(ids, [&reply.id, &sent.id]);
}

#[tokio::test]
async fn one_message_is_the_same_in_every_api() {
    let community = Community::start().await;
    let general = community.demo.channel("general");
    let room = format!("/v3/group_channels/{general}/messages");
    let chat = format!(
        "/api/chat/projects/{}/chats/{general}/messages",
        community.demo.community_id
    );
    let watch = WatchMessagesRequest {
        channel: general.to_owned(),
        after_seq: None,
    };
    let watch = signed(watch, &format!("Bearer {}", community.demo.api_key));
    let mut messages = MessageServiceClient::new(community.services.clone());
    let mut stream = messages.watch_messages(watch).await.unwrap().into_inner();

    let body = json!({ "message_type": "MESG", "user_id": "ada", "message": "from Sendbird" });
    let from_sendbird = community.sendbird().post(&room, &body).await.expect(200);
    let body = json!({ "type": "text", "content": "from Mudbase" });
    let from_mudbase = community
        .member("johndoe")
        .post(&chat, &body)
        .await
        .expect(201);
    community.send(general, "grace", "from REST").await;
    let texts = ["from Sendbird", "from Mudbase", "from REST"];

    let mut streamed = Vec::new();
    for text in texts {
        let message = stream.message().await.unwrap().unwrap().message.unwrap();
        assert_eq!(message.text, text);
        streamed.push(message);
    }
    assert_eq!(from_sendbird["message_id"], streamed[0].number);
    assert_eq!(from_mudbase["data"]["_id"], streamed[1].id.as_str());
    assert!(
        streamed
            .windows(2)
            .all(|pair| pair[0].seq + 1 == pair[1].seq)
    );
    assert!(
        streamed
            .windows(2)
            .all(|pair| pair[0].number < pair[1].number)
    );

    assert_eq!(
        newest(&json!(community.messages(general).await), "message"),
        texts
    );
    let query = "?message_ts=9000000000000&prev_limit=3&reverse=true";
    let listed = community
        .sendbird()
        .get(&format!("{room}{query}"))
        .await
        .expect(200);
    assert_eq!(newest(&listed["messages"], "message"), texts);
    let listed = community.member("johndoe").get(&chat).await.expect(200);
    assert_eq!(newest(&listed["data"]["messages"], "content"), texts);
}

/// The fields of the newest three of a list, oldest first.
fn newest(list: &Value, field: &str) -> Vec<String> {
    let newest = list.as_array().unwrap().iter().take(3);
    let texts = newest.map(|message| message[field].as_str().unwrap().to_owned());
    texts.rev().collect()
}

#[tokio::test]
async fn one_reaction_is_the_same_in_every_api() {
    let community = Community::start().await;
    let (general, owner) = (community.demo.channel("general"), &community.demo.users[0]);
    let message = community.message(&community.demo.message_id).await;
    let (id, number) = (&message.id, message.number);
    let room = format!("/v3/group_channels/{general}/messages/{number}/reactions");
    let project = &community.demo.community_id;
    let chat = format!("/api/chat/projects/{project}/chats/{general}/messages/{id}/reactions");

    let react = json!({ "messageId": id, "emoji": ":smile:", "sender": "johndoe" });
    community
        .integrator()
        .post("/v1/messages/react", &react)
        .await
        .expect(200);
    let reacted = community
        .member("johndoe")
        .post(&chat, &json!({ "emoji": "😄" }))
        .await;
    let smile = json!([{ "emoji": "😄", "count": 1, "users": [owner._id] }]);
    assert_eq!(reacted.expect(200)["data"], smile);
    let again = json!({ "user_id": "johndoe", "reaction": "smile" });
    let again = community.sendbird().post(&room, &again).await.expect(200);
    assert_eq!(again["success"], false);
    let counted = community.sendbird().get(&room).await.expect(200);
    assert_eq!(counted, json!({ "smile": 1 }));
}
