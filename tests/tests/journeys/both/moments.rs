//! Messages of the same millisecond: who goes on from the time of a message misses none.

use std::collections::BTreeSet;

use futures::future::join_all;
use guildhall_tests::Community;
use serde_json::{Value, json};

const COUNT: usize = 120;

/// Sends so many messages at once that several share a millisecond.
async fn filled(community: &Community) {
    let chat = &community.demo.mudbase.chat_id;
    let room = format!(
        "/api/chat/projects/{}/chats/{chat}/messages",
        community.demo.mudbase.project_id
    );
    let send = async |n: usize| {
        let body = json!({ "type": "text", "content": format!("n{n}") });
        community
            .member("johndoe")
            .post(&room, &body)
            .await
            .expect(201);
    };
    join_all((0..COUNT).map(send)).await;
}

/// All texts that pages show, each of which begins at the time of the last message before it.
async fn walked(
    mut page: impl AsyncFnMut(Option<Value>) -> Vec<(String, Value)>,
) -> (BTreeSet<String>, usize) {
    let (mut texts, mut pages, mut last) = (BTreeSet::new(), 0, None);
    loop {
        let messages = page(last.clone()).await;
        let Some((_, time)) = messages.last() else {
            return (texts, pages);
        };
        assert_ne!(last.as_ref(), Some(time), "it goes on");
        last = Some(time.clone());
        pages += 1;
        for (text, _) in messages {
            assert!(texts.insert(text), "no message comes twice");
        }
    }
}

fn shown(messages: &Value, text: &str, time: &str) -> Vec<(String, Value)> {
    let messages = messages.as_array().unwrap().iter();
    let shown = |message: &Value| {
        (
            message[text].as_str().unwrap().to_owned(),
            message[time].clone(),
        )
    };
    messages.map(shown).collect()
}

#[tokio::test]
async fn pages_by_time_show_every_message_in_every_dialect() {
    let community = Community::start().await;
    filled(&community).await;
    let demo = &community.demo;
    let chat = &demo.mudbase.chat_id;
    // The messages, and the one that the community was made with.
    let all = COUNT + 1;

    let (texts, pages) = walked(async |before| {
        let before = before.map(|time| format!("&before={}", time.as_str().unwrap()));
        let path = format!(
            "/api/chat/projects/{}/chats/{chat}/messages?limit=10{}",
            demo.mudbase.project_id,
            before.unwrap_or_default()
        );
        let page = community.member("johndoe").get(&path).await.expect(200);
        shown(&page["data"]["messages"], "content", "createdAt")
    })
    .await;
    assert_eq!(texts.len(), all, "Mudbase");
    assert!(pages > 1);

    let mine = community.bearer(&demo.user_api_key);
    let (texts, _) = walked(async |before| {
        let before = before.map(|time| format!("&before={}", time.as_str().unwrap()));
        let path = format!(
            "/v1/messages?channel_id={chat}&count=10{}",
            before.unwrap_or_default()
        );
        let page = mine.get(&path).await.expect(200);
        shown(&page["data"]["messages"], "message", "timestamp")
    })
    .await;
    assert_eq!(texts.len(), all, "Returning.AI");

    let (texts, _) = walked(async |before| {
        let before = before.and_then(|time| time.as_i64()).unwrap_or(9_000_000_000_000);
        let path = format!(
            "/v3/group_channels/{}/messages?message_ts={before}&include=false&reverse=true&prev_limit=10&next_limit=0",
            demo.sendbird.channel_url
        );
        let page = community.sendbird().get(&path).await.expect(200);
        shown(&page["messages"], "message", "created_at")
    })
    .await;
    assert_eq!(texts.len(), all, "Sendbird");
}

/// Towards newer messages it holds as well.
#[tokio::test]
async fn pages_towards_newer_messages_miss_none_either() {
    let community = Community::start().await;
    filled(&community).await;
    let demo = &community.demo;
    let mine = community.bearer(&demo.user_api_key);
    let (texts, _) = walked(async |after| {
        let after = after.unwrap_or(json!("2020-01-01T00:00:00.000Z"));
        let path = format!(
            "/v1/messages?channel_id={}&count=10&after={}",
            demo.mudbase.chat_id,
            after.as_str().unwrap()
        );
        let page = mine.get(&path).await.expect(200);
        let mut messages = shown(&page["data"]["messages"], "message", "timestamp");
        messages.reverse();
        messages
    })
    .await;
    assert_eq!(texts.len(), COUNT + 1);
}
