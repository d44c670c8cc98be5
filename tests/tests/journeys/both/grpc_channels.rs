//! Channels and topics over the services: who makes them, and what cannot be one.

use guildhall_proto::messaging::v1::{
    ChannelType, CreateChannelRequest, CreateTopicRequest, GetChannelRequest, ListChannelsRequest,
    ListTopicsRequest, channel_service_client::ChannelServiceClient,
    topic_service_client::TopicServiceClient,
};
use guildhall_testkit::grpc::signed;
use guildhall_tests::{Community, Differences};
use tonic::{Code, Status};

const UNKNOWN: &str = "0123456789abcdef01234567";

/// What is wrong with a status.
fn check<T: std::fmt::Debug>(answer: Result<T, Status>, code: Code) -> Result<(), String> {
    let status = answer.err().ok_or("it was let through")?;
    if status.code() == code {
        return Ok(());
    }
    Err(format!("{:?} {}", status.code(), status.message()))
}

#[tokio::test]
async fn a_channel_and_its_topics_are_made_and_found() {
    let community = Community::start().await;
    let system = format!("SystemKey {}", community.demo.system_api_key);
    let ada = format!("Bearer {}", community.demo.user("ada").jwt);
    let grace = format!("Bearer {}", community.demo.user("grace").jwt);
    let mut channels = ChannelServiceClient::new(community.services.clone());
    let request = CreateChannelRequest {
        topic: "  Ideas ".into(),
        r#type: ChannelType::Forum.into(),
        description: "What next?".into(),
        ..Default::default()
    };
    let made = channels
        .create_channel(signed(request.clone(), &system))
        .await
        .unwrap();
    let made = made.into_inner().channel.unwrap();
    assert_eq!(
        (made.creator_number, made.last_seq, made.frozen),
        (1, 0, false)
    );
    let get = GetChannelRequest {
        channel: made.id.clone(),
    };
    let found = channels
        .get_channel(signed(get, &grace))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(found.channel.unwrap(), made);
    // Members read channels; they make none.
    let refused = channels
        .create_channel(signed(request, &ada))
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);

    let mut topics = TopicServiceClient::new(community.services.clone());
    let mut ids = Vec::new();
    for n in 0..5 {
        let request = CreateTopicRequest {
            channel_id: made.id.clone(),
            title: format!("Idea {n}"),
            ..Default::default()
        };
        let refused = topics
            .create_topic(signed(request.clone(), &grace))
            .await
            .unwrap_err();
        assert_eq!(refused.code(), Code::PermissionDenied, "an admin's right");
        let topic = topics
            .create_topic(signed(request, &ada))
            .await
            .unwrap()
            .into_inner();
        let topic = topic.topic.unwrap();
        assert_eq!(topic.creator_id, community.demo.user("ada")._id);
        ids.insert(0, topic.id);
    }
    let (mut found, mut token) = (Vec::new(), String::new());
    loop {
        let request = ListTopicsRequest {
            channel_id: made.id.clone(),
            page_size: 2,
            page_token: token,
        };
        let page = topics
            .list_topics(signed(request, &grace))
            .await
            .unwrap()
            .into_inner();
        found.extend(page.topics.into_iter().map(|topic| topic.id));
        token = page.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(found, ids, "newest first");
}

#[tokio::test]
async fn a_channel_or_topic_that_cannot_be_is_refused() {
    let community = Community::start().await;
    let before = community.fingerprint().await;
    let system = format!("SystemKey {}", community.demo.system_api_key);
    let key = format!("Bearer {}", community.demo.api_key);
    let good = CreateChannelRequest {
        topic: "Lounge".into(),
        r#type: ChannelType::Open.into(),
        ..Default::default()
    };
    let dm = |participants: &[&str]| CreateChannelRequest {
        r#type: ChannelType::Dm.into(),
        participants: participants.iter().map(ToString::to_string).collect(),
        ..good.clone()
    };
    let mut differences = Differences::default();
    let mut channels = ChannelServiceClient::new(community.services.clone());
    for (what, request, code) in [
        (
            "no name",
            CreateChannelRequest {
                topic: " ".into(),
                ..good.clone()
            },
            Code::InvalidArgument,
        ),
        (
            "101 characters",
            CreateChannelRequest {
                topic: "é".repeat(101),
                ..good.clone()
            },
            Code::InvalidArgument,
        ),
        (
            "a NUL",
            CreateChannelRequest {
                topic: "a\0".into(),
                ..good.clone()
            },
            Code::InvalidArgument,
        ),
        (
            "no type",
            CreateChannelRequest {
                r#type: 0,
                ..good.clone()
            },
            Code::InvalidArgument,
        ),
        (
            "an unknown type",
            CreateChannelRequest {
                r#type: 99,
                ..good.clone()
            },
            Code::InvalidArgument,
        ),
        (
            "a long description",
            CreateChannelRequest {
                description: "d".repeat(1_001),
                ..good.clone()
            },
            Code::InvalidArgument,
        ),
        (
            "a long address",
            CreateChannelRequest {
                url: "u".repeat(101),
                ..good.clone()
            },
            Code::InvalidArgument,
        ),
        ("one participant", dm(&["ada"]), Code::InvalidArgument),
        (
            "one participant twice",
            dm(&["ada", "ada@example.com"]),
            Code::InvalidArgument,
        ),
        (
            "an unknown participant",
            dm(&["ada", "nobody"]),
            Code::NotFound,
        ),
        ("101 participants", dm(&["ada"; 101]), Code::InvalidArgument),
    ] {
        let answer = channels.create_channel(signed(request, &system)).await;
        differences.note(what, check(answer, code));
    }
    let request = ListChannelsRequest {
        page_size: -5,
        ..Default::default()
    };
    let answer = channels.list_channels(signed(request, &system)).await;
    differences.note("a negative page", check(answer, Code::InvalidArgument));

    let (forum, general) = (
        community.demo.channel("forum"),
        community.demo.channel("general"),
    );
    let topic = CreateTopicRequest {
        channel_id: forum.into(),
        title: "New".into(),
        ..Default::default()
    };
    for (what, request, code) in [
        (
            "no title",
            CreateTopicRequest {
                title: String::new(),
                ..topic.clone()
            },
            Code::InvalidArgument,
        ),
        (
            "201 characters",
            CreateTopicRequest {
                title: "t".repeat(201),
                ..topic.clone()
            },
            Code::InvalidArgument,
        ),
        (
            "a channel that is no forum",
            CreateTopicRequest {
                channel_id: general.into(),
                ..topic.clone()
            },
            Code::AlreadyExists,
        ),
        (
            "a title that is open already",
            CreateTopicRequest {
                title: "First steps".into(),
                ..topic.clone()
            },
            Code::AlreadyExists,
        ),
        (
            "an unknown forum",
            CreateTopicRequest {
                channel_id: UNKNOWN.into(),
                ..topic
            },
            Code::NotFound,
        ),
    ] {
        let answer = TopicServiceClient::new(community.services.clone())
            .create_topic(signed(request, &key))
            .await;
        differences.note(what, check(answer, code));
    }
    differences.assert_none();
    community.fingerprint().await.assert_is(&before);
}
