//! Many at once: what may exist once exists once, and one failure is nobody else's.

use std::collections::{HashMap, HashSet};

use futures::future::join_all;
use guildhall_proto::{
    identity::v1::{CreateUserApiKeyRequest, api_key_service_client::ApiKeyServiceClient},
    messaging::v1::{
        ChannelType, CreateChannelRequest, channel_service_client::ChannelServiceClient,
    },
};
use guildhall_testkit::{Rest, grpc::signed};
use guildhall_tests::{Caller, Community, Family, Refusal, key, operation::Kind};
use serde_json::{Value, json};
use tonic::Code;

/// Who holds the community key, with all calls on one connection.
fn crowd(community: &Community) -> Caller {
    let rest = Rest::multiplexed(community.platform.http());
    Caller::new(&rest, community.credential(Kind::CommunityKey))
}

#[tokio::test]
async fn a_reaction_is_counted_once_however_often_it_comes() {
    let community = Community::start().await;
    let message = community
        .send(community.demo.channel("general"), "ada", "React")
        .await;
    let crowd = crowd(&community);
    let spellings = ["👍", ":+1:", "+1", ":thumbsup:", "👍\u{fe0f}"];
    let calls = (0..200).map(|n| {
        let sender = ["johndoe", "ada", "grace"][n % 3];
        let body = json!({ "messageId": message, "emoji": spellings[n % 5], "sender": sender });
        let crowd = &crowd;
        async move { crowd.post("/v1/messages/react", &body).await.status }
    });
    assert!(
        join_all(calls)
            .await
            .into_iter()
            .all(|status| status == 200)
    );
    let reactions = community
        .data(&format!("/v1/messages/{message}/reactions"))
        .await;
    assert_eq!(reactions["total"], 1);
    assert_eq!(reactions["reactions"][0]["count"], 3);
}

#[tokio::test]
async fn a_message_never_takes_more_than_twenty_emojis() {
    let community = Community::start().await;
    let message = community
        .send(community.demo.channel("general"), "ada", "React")
        .await;
    let crowd = crowd(&community);
    let calls = (0..60).map(|n| {
        let body = json!({ "messageId": message, "emoji": format!("key_{n}"), "sender": "ada" });
        let crowd = &crowd;
        async move { crowd.post("/v1/messages/react", &body).await }
    });
    let answers = join_all(calls).await;
    let (taken, refused): (Vec<_>, Vec<_>) =
        answers.iter().partition(|answer| answer.status == 200);
    assert_eq!(taken.len(), 20);
    for answer in refused {
        Family::E1.refuses(answer, Refusal::Invalid);
    }
    let path = format!("/v1/messages/{message}/reactions");
    assert_eq!(
        community.data(&path).await["reactions"]
            .as_array()
            .unwrap()
            .len(),
        20
    );
}

#[tokio::test]
async fn adding_and_removing_at_once_leaves_a_right_count() {
    let community = Community::start().await;
    let message = community
        .send(community.demo.channel("general"), "ada", "React")
        .await;
    let crowd = crowd(&community);
    let path = format!("/v1/messages/{message}/reactions");
    let calls = (0..120).map(|n| {
        let sender = ["johndoe", "ada", "grace"][n % 3];
        let body = json!({ "messageId": message, "emoji": "👍", "sender": sender });
        let (crowd, path) = (&crowd, &path);
        async move {
            if n % 2 == 0 {
                crowd.post("/v1/messages/react", &body).await.status
            } else {
                crowd.delete_with(path, &body).await.status
            }
        }
    });
    assert!(
        join_all(calls)
            .await
            .into_iter()
            .all(|status| [200, 404].contains(&status))
    );
    let reactions = community.data(&format!("{path}?list_users=true")).await;
    for reaction in reactions["reactions"].as_array().unwrap() {
        let users = reaction["users"].as_array().unwrap().len();
        assert_eq!(reaction["count"], users, "{reaction}");
        assert!(users > 0, "{reaction}");
    }
    let shown = community.data(&format!("/v1/messages/{message}")).await;
    let counts: i64 = shown["reactions"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|r| r["count"].as_i64())
        .sum();
    let users: usize = reactions["reactions"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|r| Some(r["users"].as_array()?.len()))
        .sum();
    assert_eq!(counts, i64::try_from(users).unwrap(), "{shown}");
}

#[tokio::test]
async fn one_failure_in_a_crowd_is_nobody_elses() {
    let community = Community::start().await;
    let room = community
        .channel(&json!({ "topic": "Busy", "channelType": "open" }))
        .await;
    let announcements = community.demo.channel("announcements");
    let crowd = crowd(&community);
    let calls = (0..300).map(|n| {
        let (channel, sender, text, status) = match n % 6 {
            0 => ("0123456789abcdef01234567", "ada", "unknown channel", 404),
            1 => (room.as_str(), "nobody", "unknown sender", 404),
            2 => (room.as_str(), "ada", "a NUL \0", 400),
            3 => (announcements, "grace", "no announcer", 403),
            _ => (room.as_str(), "grace", "good", 200),
        };
        let body = json!({ "channelId": channel, "sender": sender, "message": text });
        let crowd = &crowd;
        async move {
            let answer = crowd.post("/v1/messages/send", &body).await;
            assert_eq!(answer.status, status, "{body}: {}", answer.body);
            answer.json()["data"]["messageId"]
                .as_str()
                .map(str::to_owned)
        }
    });
    let acknowledged: HashSet<_> = join_all(calls).await.into_iter().flatten().collect();
    assert_eq!(acknowledged.len(), 100);
    let stored = community.messages(&room).await;
    let stored: HashSet<_> = stored
        .iter()
        .map(|message| message["id"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(stored, acknowledged);
}

#[tokio::test]
async fn an_address_belongs_to_one_channel() {
    let community = Community::start().await;
    let token = format!("SendbirdToken {}", community.demo.sendbird.api_token);
    let calls = (0..20).map(|n| {
        let request = CreateChannelRequest {
            topic: format!("Room {n}"),
            r#type: ChannelType::Dm.into(),
            participants: vec!["ada".into(), "grace".into()],
            url: "one-and-only".into(),
            ..Default::default()
        };
        let mut channels = ChannelServiceClient::new(community.services.clone());
        let request = signed(request, &token);
        async move {
            channels
                .create_channel(request)
                .await
                .map_err(|status| status.code())
        }
    });
    let codes = join_all(calls).await.into_iter().filter_map(Result::err);
    assert_eq!(codes.collect::<Vec<_>>(), [Code::AlreadyExists; 19]);
}

#[tokio::test]
async fn a_name_belongs_to_one_key() {
    let community = Community::start().await;
    let jwt = format!("Bearer {}", community.demo.user("ada").jwt);
    let spec = key::spec(&["sendMessages"]);
    let calls = (0..20).map(|_| {
        let request = CreateUserApiKeyRequest {
            spec: Some(spec.clone()),
        };
        let mut keys = ApiKeyServiceClient::new(community.services.clone());
        let request = signed(request, &jwt);
        async move {
            keys.create_user_api_key(request)
                .await
                .map_err(|status| status.code())
        }
    });
    let codes = join_all(calls).await.into_iter().filter_map(Result::err);
    assert_eq!(codes.collect::<Vec<_>>(), [Code::AlreadyExists; 19]);
}

#[tokio::test]
async fn communities_made_at_once_are_all_made() {
    let community = Community::start().await;
    let emails: Vec<_> = (0..6).map(|n| format!("owner{n}@example.com")).collect();
    let commands = emails.iter().map(|email| {
        let args = ["bootstrap", "--community", "Twins", "--owner-email", email];
        let community = &community;
        async move { community.platform.command(&args).await }
    });
    let mut communities = HashMap::new();
    for output in join_all(commands).await {
        // Of two with one name, the second may be refused; never may both have one address.
        if output.status.success() {
            let made: Value = serde_json::from_slice(&output.stdout).unwrap();
            let before = communities.insert(made["slug"].to_string(), made["communityId"].clone());
            assert_eq!(before, None, "{made}");
        } else {
            let told = String::from_utf8_lossy(&output.stderr);
            assert!(told.contains("Twins") || told.contains("twins"), "{told}");
        }
    }
    assert!(!communities.is_empty());
}
