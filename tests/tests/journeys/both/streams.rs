//! New messages of a channel as they come: in order, without gaps, as long as one may read them.

use std::time::Duration;

use futures::future::join_all;
use guildhall_proto::messaging::v1::{
    SendMessageRequest, WatchMessagesRequest, WatchMessagesResponse,
    message_service_client::MessageServiceClient,
};
use guildhall_testkit::grpc::signed;
use guildhall_tests::{Community, key};
use tonic::{Code, Streaming};

fn key_of(community: &Community) -> String {
    format!("Bearer {}", community.demo.api_key)
}

fn hello(channel: &str) -> SendMessageRequest {
    SendMessageRequest {
        channel: channel.to_owned(),
        sender: "ada".into(),
        text: "Hello".into(),
        ..Default::default()
    }
}

async fn watch(
    community: &Community,
    channel: &str,
    credential: &str,
    after_seq: Option<i64>,
) -> Streaming<WatchMessagesResponse> {
    let request = WatchMessagesRequest {
        channel: channel.to_owned(),
        after_seq,
    };
    let mut messages = MessageServiceClient::new(community.services.clone());
    messages
        .watch_messages(signed(request, credential))
        .await
        .unwrap()
        .into_inner()
}

async fn next_seq(stream: &mut Streaming<WatchMessagesResponse>) -> i64 {
    let next = tokio::time::timeout(Duration::from_secs(20), stream.message()).await;
    next.expect("a message in time")
        .unwrap()
        .expect("no end")
        .message
        .unwrap()
        .seq
}

#[tokio::test]
async fn a_stream_has_no_gap_while_others_write() {
    let community = Community::start().await;
    let channel = serde_json::json!({ "topic": "Busy", "channelType": "open" });
    let channel = community.channel(&channel).await;
    for _ in 0..5 {
        community.send(&channel, "ada", "before").await;
    }
    let mut from_the_start = watch(&community, &channel, &key_of(&community), Some(0)).await;
    let mut from_here = watch(&community, &channel, &key_of(&community), None).await;
    let writers = (0..8).map(|_| async {
        let mut messages = MessageServiceClient::new(community.services.clone());
        for _ in 0..25 {
            messages
                .send_message(signed(hello(&channel), &key_of(&community)))
                .await
                .unwrap();
        }
    });
    let late = async {
        let mut seqs = Vec::new();
        // Resumed in the middle of the traffic, again and again.
        while seqs.len() < 205 {
            let after = seqs.last().copied().unwrap_or(0);
            let mut stream = watch(&community, &channel, &key_of(&community), Some(after)).await;
            for _ in 0..41 {
                seqs.push(next_seq(&mut stream).await);
            }
        }
        seqs
    };
    let (_, resumed) = tokio::join!(join_all(writers), late);
    let all: Vec<i64> = (1..=205).collect();
    assert_eq!(resumed, all);
    for (stream, expected) in [(&mut from_the_start, &all[..]), (&mut from_here, &all[5..])] {
        let mut seqs = Vec::new();
        for _ in expected {
            seqs.push(next_seq(stream).await);
        }
        assert_eq!(seqs, expected);
    }
}

#[tokio::test]
async fn a_stream_ends_with_its_credential() {
    let community = Community::start().await;
    let general = community.demo.channel("general");
    let key = community
        .keys()
        .community(key::spec(&["getMessages"]))
        .await;
    let mut stream = watch(&community, general, &format!("Bearer {}", key.text), None).await;
    community.keys().revoke(&key).await;
    let ended = tokio::time::timeout(Duration::from_secs(5), stream.message()).await;
    let status = ended.expect("it ends in time").unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated, "{status:?}");
}

#[tokio::test]
async fn a_stream_is_for_those_who_may_read_the_channel() {
    let community = Community::start().await;
    let pair = serde_json::json!({ "topic": "Pair", "channelType": "dm", "participants": ["johndoe", "ada"] });
    let pair = community.channel(&pair).await;
    let refusal = async |channel: &str, credential: &str| {
        let request = WatchMessagesRequest {
            channel: channel.to_owned(),
            after_seq: None,
        };
        let mut messages = MessageServiceClient::new(community.services.clone());
        messages
            .watch_messages(signed(request, credential))
            .await
            .unwrap_err()
            .code()
    };
    let grace = format!("Bearer {}", community.demo.user("grace").jwt);
    let ada = format!("Bearer {}", community.demo.user("ada").jwt);
    let refused = refusal(&pair, &grace).await;
    assert!(
        [Code::NotFound, Code::PermissionDenied].contains(&refused),
        "{refused:?}"
    );
    let sender = community
        .keys()
        .community(key::spec(&["sendMessage"]))
        .await;
    let without = refusal(&pair, &format!("Bearer {}", sender.text)).await;
    assert_eq!(without, Code::PermissionDenied);
    let malformed = refusal("0123456789abcdef01234567", &ada).await;
    assert_eq!(malformed, Code::NotFound);
    let mut stream = watch(&community, &pair, &ada, Some(0)).await;
    community.send(&pair, "johndoe", "Only you").await;
    assert_eq!(next_seq(&mut stream).await, 1);
}

#[tokio::test]
async fn a_credential_has_twenty_streams_at_a_time() {
    let community = Community::start().await;
    let (key, channel) = (key_of(&community), community.demo.channel("general"));
    let mut streams = Vec::new();
    for _ in 0..20 {
        streams.push(watch(&community, channel, &key, None).await);
    }
    let mut messages = MessageServiceClient::new(community.services.clone());
    let request = || WatchMessagesRequest {
        channel: channel.to_owned(),
        after_seq: None,
    };
    let refused = messages.watch_messages(signed(request(), &key)).await;
    assert_eq!(refused.unwrap_err().code(), Code::ResourceExhausted);

    // Others have streams of their own, and one that ends makes room.
    let jwt = format!("Bearer {}", community.demo.users[0].jwt);
    drop(
        messages
            .watch_messages(signed(request(), &jwt))
            .await
            .unwrap(),
    );
    drop(streams.pop());
    let again = async {
        while messages
            .watch_messages(signed(request(), &key))
            .await
            .is_err()
        {}
    };
    let again = tokio::time::timeout(Duration::from_secs(20), again);
    again.await.expect("a stream that ended still counts");
}
