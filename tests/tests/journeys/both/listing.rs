//! Lists of messages: order, pages, places between messages, and filters.

use guildhall_proto::messaging::v1::{
    ListMessagesRequest, message_service_client::MessageServiceClient,
};
use guildhall_testkit::grpc::signed;
use guildhall_tests::Community;
use serde_json::{Value, json};

const COUNT: usize = 25;

/// A channel with 25 messages; their ids, oldest first.
async fn filled(community: &Community) -> (String, Vec<String>) {
    let channel = json!({ "topic": "Long", "channelType": "open" });
    let channel = community.channel(&channel).await;
    let mut ids = Vec::new();
    for n in 0..COUNT {
        let sender = if n % 2 == 0 { "ada" } else { "grace" };
        ids.push(community.send(&channel, sender, &format!("n{n}")).await);
    }
    (channel, ids)
}

fn ids(data: &Value) -> Vec<String> {
    let messages = data["messages"].as_array().unwrap();
    assert_eq!(data["total"], messages.len(), "the number in this answer");
    let ids = messages
        .iter()
        .map(|message| message["id"].as_str().unwrap().to_owned());
    // Newest first on the wire, oldest first in these tests.
    ids.rev().collect()
}

#[tokio::test]
async fn pages_go_back_to_the_beginning_and_forward_to_the_end() {
    let community = Community::start().await;
    let (channel, all) = filled(&community).await;
    let list = async |query: String| {
        community
            .data(&format!("/v1/messages?channel_id={channel}{query}"))
            .await
    };
    let newest = list(String::new()).await;
    assert_eq!(ids(&newest), all[COUNT - 10..], "ten are the default");
    assert_eq!(newest["has_more"], true);

    let (mut back, mut page) = (ids(&newest), newest);
    while page["has_more"] == true {
        let before = page["next_before"].as_str().unwrap().to_owned();
        page = list(format!("&count=7&before={before}")).await;
        back.splice(0..0, ids(&page));
    }
    assert_eq!(back, all);

    let mut forward = vec![all[0].clone()];
    loop {
        let page = list(format!("&count=7&after={}", forward.last().unwrap())).await;
        forward.extend(ids(&page));
        if page["has_more"] != true {
            break;
        }
        assert_eq!(page["next_after"], forward.last().unwrap().as_str());
    }
    assert_eq!(forward, all);

    let between = list(format!("&count=100&after={}&before={}", all[4], all[9])).await;
    assert_eq!(ids(&between), all[5..9]);
}

#[tokio::test]
async fn a_place_is_a_message_or_a_time() {
    let community = Community::start().await;
    let (channel, all) = filled(&community).await;
    let list = async |query: String| {
        community
            .data(&format!(
                "/v1/messages?channel_id={channel}&count=100{query}"
            ))
            .await
    };
    let everything = list(String::new()).await;
    let middle = &everything["messages"][12];
    let time = middle["timestamp"].as_str().unwrap();
    let at = all
        .iter()
        .position(|id| *id == middle["id"].as_str().unwrap())
        .unwrap();
    let older = ids(&list(format!("&before={time}")).await);
    assert!(all.starts_with(&older) && older.len() <= at);
    let newer = ids(&list(format!("&after={time}")).await);
    assert!(all.ends_with(&newer) && newer.len() < COUNT - at);
    assert_eq!(
        ids(&list("&after=2100-01-01T00:00:00.000Z".into()).await),
        [""; 0]
    );
    assert_eq!(
        ids(&list("&before=2100-01-01T00:00:00.000Z".into()).await),
        all
    );
}

#[tokio::test]
async fn a_list_is_narrowed_by_author_parent_and_channel() {
    let community = Community::start().await;
    let (channel, all) = filled(&community).await;
    let list = async |query: &str| {
        ids(&community
            .data(&format!("/v1/messages?count=100&{query}"))
            .await)
    };
    let of_ada: Vec<_> = all.iter().step_by(2).cloned().collect();
    for query in [
        "email=ada@example.com",
        "email=ADA@example.com",
        "user_id=2",
    ] {
        let found = list(&format!("channel_id={channel}&{query}")).await;
        assert_eq!(found, of_ada, "{query}");
    }
    let mut replies = Vec::new();
    for text in ["one", "two"] {
        let reply = json!({ "messageId": all[3], "message": text, "sender": "ada" });
        let reply = community
            .integrator()
            .post("/v1/messages/reply", &reply)
            .await
            .expect(200);
        replies.push(reply["data"]["messageId"].as_str().unwrap().to_owned());
    }
    // One level of threads: a reply to a reply hangs on the same parent.
    let deeper = json!({ "messageId": replies[1], "message": "three", "sender": "grace" });
    let deeper = community
        .integrator()
        .post("/v1/messages/reply", &deeper)
        .await
        .expect(200);
    replies.push(deeper["data"]["messageId"].as_str().unwrap().to_owned());
    assert_eq!(list(&format!("parent_id={}", all[3])).await, replies);
    assert_eq!(
        list(&format!("parent_id={}&email=grace@example.com", all[3])).await,
        replies[2..]
    );
    // Without a channel: those of every channel that is no direct-message channel.
    let everywhere = list("").await;
    assert_eq!(everywhere.len(), COUNT + 3 + 1);
}

#[tokio::test]
async fn the_services_page_with_tokens() {
    let community = Community::start().await;
    let (channel, all) = filled(&community).await;
    let mut messages = MessageServiceClient::new(community.services.clone());
    let key = format!("Bearer {}", community.demo.api_key);
    let (mut found, mut token) = (Vec::new(), String::new());
    loop {
        let request = ListMessagesRequest {
            channel: channel.clone(),
            page_size: 10,
            page_token: token,
            ..Default::default()
        };
        let page = messages
            .list_messages(signed(request, &key))
            .await
            .unwrap()
            .into_inner();
        found.extend(page.messages.into_iter().map(|message| message.id));
        token = page.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    found.reverse();
    assert_eq!(found, all);
    for token in ["nonsense", "e30", &"A".repeat(600)] {
        let request = ListMessagesRequest {
            page_token: token.to_owned(),
            ..Default::default()
        };
        let status = messages
            .list_messages(signed(request, &key))
            .await
            .unwrap_err();
        assert_eq!(status.code(), tonic::Code::InvalidArgument, "{token}");
    }
}
