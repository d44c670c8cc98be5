//! Lists of large messages: pages are bounded by bytes, and nothing is lost between them.

use std::{collections::BTreeSet, time::Duration};

use guildhall_proto::messaging::v1::{
    ListMessagesRequest, WatchMessagesRequest, message_service_client::MessageServiceClient,
};
use guildhall_testkit::grpc::signed;
use guildhall_tests::Community;
use serde_json::json;
use tokio::time::timeout;

const COUNT: usize = 60;
/// 36 KB each: no page holds half of them.
const CRAB: &str = "\u{1F980}";
const MIB: usize = 1024 * 1024;

async fn filled(community: &Community) -> String {
    let new = json!({ "topic": "Large", "channelType": "open" });
    let channel = community.channel(&new).await;
    for n in 0..COUNT {
        let body = json!({
            "channelId": channel, "sender": "ada", "message": format!("{n:02}{}", CRAB.repeat(9_000))
        });
        let send = community.rest.post("/v1/messages/send").json(&body);
        send.bearer(&community.demo.api_key)
            .send()
            .await
            .expect(200);
    }
    channel
}

#[tokio::test]
async fn pages_of_large_messages_are_short_and_lead_to_all_of_them() {
    let community = Community::start().await;
    let channel = filled(&community).await;
    let key = format!("Bearer {}", community.demo.api_key);

    let (mut shown, mut before, mut pages) = (BTreeSet::new(), None, 0);
    loop {
        let mut query = vec![("count", "100"), ("channel_id", &*channel)];
        query.extend(before.as_deref().map(|before| ("before", before)));
        let page = community.rest.get("/v1/messages").query(&query);
        let page = page.bearer(&community.demo.api_key).send().await;
        assert!(page.body.len() < 2 * MIB, "{} bytes", page.body.len());
        let page = &page.expect(200)["data"];
        pages += 1;
        for message in page["messages"].as_array().unwrap() {
            let id = message["id"].as_str().unwrap().to_owned();
            assert!(shown.insert(id), "no message comes twice");
        }
        before = page["next_before"].as_str().map(str::to_owned);
        if before.is_none() {
            break;
        }
    }
    assert_eq!(shown.len(), COUNT);
    assert!(pages > 2, "{pages} pages");

    let mut messages = MessageServiceClient::new(community.services.clone());
    let (mut seen, mut page_token) = (0, String::new());
    loop {
        let request = ListMessagesRequest {
            channel: channel.clone(),
            page_size: 200,
            page_token,
            ..Default::default()
        };
        let page = messages.list_messages(signed(request, &key)).await.unwrap();
        let page = page.into_inner();
        let bytes: usize = page.messages.iter().map(|message| message.text.len()).sum();
        assert!(bytes <= MIB, "{bytes}");
        seen += page.messages.len();
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(seen, COUNT);

    let request = WatchMessagesRequest {
        channel,
        after_seq: Some(0),
    };
    let stream = messages.watch_messages(signed(request, &key)).await;
    let mut stream = stream.unwrap().into_inner();
    for seq in 1..=COUNT {
        let next = timeout(Duration::from_secs(20), stream.message()).await;
        let next = next.unwrap().unwrap().unwrap().message.unwrap();
        assert_eq!(usize::try_from(next.seq).unwrap(), seq);
    }
}
