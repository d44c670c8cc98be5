//! Whatever a caller of the services sends is answered with a status that says why.

use guildhall_proto::{
    messaging::v1::{
        AddReactionRequest, GetMessageRequest, ListChannelsRequest, ListMessagesRequest,
        MessageCursor, MessageDetails, MessageReference, ReplyMessageRequest, SendMessageRequest,
        channel_service_client::ChannelServiceClient, message_cursor::Position,
        message_reference::Reference, message_service_client::MessageServiceClient,
        reaction_service_client::ReactionServiceClient,
    },
    webhooks::v1::{
        GetOutgoingWebhookRequest, ListDeliveriesRequest,
        outgoing_webhook_service_client::OutgoingWebhookServiceClient,
    },
};
use guildhall_testkit::grpc::signed;
use guildhall_tests::{Community, Differences};
use tonic::{Code, Status};
use tonic_types::StatusExt;

const UNKNOWN: &str = "0123456789abcdef01234567";

fn by_id(id: &str) -> Option<MessageReference> {
    Some(MessageReference {
        reference: Some(Reference::Id(id.to_owned())),
        ..Default::default()
    })
}

/// What is wrong with a status.
fn check<T: std::fmt::Debug>(
    answer: Result<T, Status>,
    code: Code,
    reason: &str,
) -> Result<(), String> {
    let status = answer.err().ok_or("it was let through")?;
    let details = status.get_error_details();
    let found = details
        .error_info()
        .map(|info| info.reason.as_str())
        .unwrap_or_default();
    let reasoned = reason.is_empty() || found == reason;
    if status.code() == code && reasoned {
        return Ok(());
    }
    Err(format!("{:?} {found} {}", status.code(), status.message()))
}

#[tokio::test]
async fn a_message_that_cannot_be_is_refused() {
    let community = Community::start().await;
    let before = community.fingerprint().await;
    let (general, forum) = (
        community.demo.channel("general"),
        community.demo.channel("forum"),
    );
    let good = SendMessageRequest {
        channel: general.to_owned(),
        sender: "ada".into(),
        text: "Hi".into(),
        ..Default::default()
    };
    let with = |change: fn(&mut SendMessageRequest)| {
        let mut request = good.clone();
        change(&mut request);
        request
    };
    let data = "x".repeat(70 * 1024);
    let details = MessageDetails {
        data,
        ..Default::default()
    };
    let cases = [
        (
            "no channel",
            with(|r| r.channel.clear()),
            Code::InvalidArgument,
            "",
        ),
        (
            "a channel with NUL",
            with(|r| r.channel = "a\0b".into()),
            Code::NotFound,
            "",
        ),
        (
            "an unknown channel",
            with(|r| r.channel = UNKNOWN.into()),
            Code::NotFound,
            "CHANNEL_NOT_FOUND",
        ),
        (
            "an unknown url",
            with(|r| r.channel = "no-such-url".into()),
            Code::NotFound,
            "CHANNEL_NOT_FOUND",
        ),
        (
            "no sender",
            with(|r| r.sender.clear()),
            Code::InvalidArgument,
            "",
        ),
        (
            "an unknown sender",
            with(|r| r.sender = "nobody".into()),
            Code::NotFound,
            "USER_NOT_FOUND",
        ),
        (
            "no text",
            with(|r| r.text = "  ".into()),
            Code::InvalidArgument,
            "MISSING_FIELD",
        ),
        (
            "a NUL",
            with(|r| r.text = "a\0b".into()),
            Code::InvalidArgument,
            "INVALID_VALUE",
        ),
        (
            "10,001 characters",
            with(|r| r.text = "é".repeat(10_001)),
            Code::InvalidArgument,
            "VALUE_TOO_LONG",
        ),
        (
            "an unknown kind",
            with(|r| r.kind = 99),
            Code::InvalidArgument,
            "INVALID_VALUE",
        ),
        (
            "an administrative message",
            with(|r| r.kind = 8),
            Code::InvalidArgument,
            "",
        ),
        (
            "too many details",
            SendMessageRequest {
                details: Some(details),
                ..good.clone()
            },
            Code::InvalidArgument,
            "",
        ),
        (
            "a dedup id of 100 KB",
            with(|r| r.dedup_id = "d".repeat(102_400)),
            Code::InvalidArgument,
            "",
        ),
        (
            "no topic",
            SendMessageRequest {
                channel: forum.to_owned(),
                ..good.clone()
            },
            Code::InvalidArgument,
            "",
        ),
    ];
    let mut differences = Differences::default();
    let mut messages = MessageServiceClient::new(community.services.clone());
    let key = format!("Bearer {}", community.demo.api_key);
    for (what, request, code, reason) in cases {
        let answer = messages.send_message(signed(request, &key)).await;
        differences.note(what, check(answer, code, reason));
    }
    for sender in [
        "a\0",
        &"a".repeat(102_400),
        "-1",
        "99999999999999999999",
        "@",
        "%",
    ] {
        let request = SendMessageRequest {
            sender: sender.to_owned(),
            ..good.clone()
        };
        let code = messages
            .send_message(signed(request, &key))
            .await
            .unwrap_err()
            .code();
        let right = [Code::NotFound, Code::InvalidArgument].contains(&code);
        differences.expect(right, format!("sender {sender:.20?}"), code);
    }
    let huge = with(|r| r.text = "x".repeat(5 << 20));
    let huge = messages
        .send_message(signed(huge, &key))
        .await
        .unwrap_err()
        .code();
    let refused = [
        Code::InvalidArgument,
        Code::ResourceExhausted,
        Code::OutOfRange,
    ]
    .contains(&huge);
    differences.expect(refused, "a message of 5 MiB", huge);
    differences.assert_none();
    community.fingerprint().await.assert_is(&before);
}

#[tokio::test]
async fn other_requests_that_make_no_sense_are_refused() {
    let community = Community::start().await;
    let before = community.fingerprint().await;
    let key = format!("Bearer {}", community.demo.api_key);
    let mut differences = Differences::default();
    let mut messages = MessageServiceClient::new(community.services.clone());
    for (what, message, code) in [
        ("no reference", None, Code::InvalidArgument),
        (
            "an empty reference",
            Some(MessageReference::default()),
            Code::InvalidArgument,
        ),
        ("a malformed id", by_id("x"), Code::InvalidArgument),
        ("an unknown id", by_id(UNKNOWN), Code::NotFound),
        (
            "another channel",
            Some(MessageReference {
                channel: community.demo.channel("forum").into(),
                ..by_id(&community.demo.message_id).unwrap()
            }),
            Code::NotFound,
        ),
    ] {
        let get = GetMessageRequest {
            message: message.clone(),
        };
        let answer = messages.get_message(signed(get, &key)).await;
        differences.note(format!("get with {what}"), check(answer, code, ""));
        let reply = ReplyMessageRequest {
            message: message.clone(),
            sender: "ada".into(),
            text: "Hi".into(),
            ..Default::default()
        };
        let answer = messages.reply_message(signed(reply, &key)).await;
        differences.note(format!("reply with {what}"), check(answer, code, ""));
        let add = AddReactionRequest {
            message,
            sender: "ada".into(),
            emoji: "👍".into(),
        };
        let answer = ReactionServiceClient::new(community.services.clone())
            .add_reaction(signed(add, &key))
            .await;
        differences.note(format!("react with {what}"), check(answer, code, ""));
    }
    for (what, request) in [
        (
            "a negative page",
            ListMessagesRequest {
                page_size: -1,
                ..Default::default()
            },
        ),
        (
            "a malformed topic",
            ListMessagesRequest {
                topic_id: "x".into(),
                ..Default::default()
            },
        ),
        (
            "a foreign token",
            ListMessagesRequest {
                page_token: "bm90aGluZw".into(),
                ..Default::default()
            },
        ),
    ] {
        let answer = messages.list_messages(signed(request, &key)).await;
        differences.note(what, check(answer, Code::InvalidArgument, ""));
    }
    let unknown = ListChannelsRequest {
        r#type: 99,
        ..Default::default()
    };
    let answer = ChannelServiceClient::new(community.services.clone())
        .list_channels(signed(unknown, &key))
        .await;
    differences.note(
        "an unknown type of channels",
        check(answer, Code::InvalidArgument, ""),
    );
    differences.assert_none();
    community.fingerprint().await.assert_is(&before);
}

#[tokio::test]
async fn a_malformed_id_is_refused_under_the_path_of_its_field() {
    let community = Community::start().await;
    let key = format!("Bearer {}", community.demo.api_key);
    let mut messages = MessageServiceClient::new(community.services.clone());
    let before = MessageCursor {
        position: Some(Position::MessageId("x".into())),
    };
    for (field, request) in [
        (
            "topic_id",
            ListMessagesRequest {
                topic_id: "x".into(),
                ..Default::default()
            },
        ),
        (
            "parent.id",
            ListMessagesRequest {
                parent: by_id("x"),
                ..Default::default()
            },
        ),
        (
            "before.message_id",
            ListMessagesRequest {
                before: Some(before),
                ..Default::default()
            },
        ),
    ] {
        let refused = messages.list_messages(signed(request, &key)).await;
        assert_eq!(field_of(refused.unwrap_err()), field);
    }
    let message = GetMessageRequest {
        message: by_id("x"),
    };
    let refused = messages.get_message(signed(message, &key)).await;
    assert_eq!(field_of(refused.unwrap_err()), "message.id");
    let mut webhooks = OutgoingWebhookServiceClient::new(community.services.clone());
    let webhook = GetOutgoingWebhookRequest { id: "x".into() };
    let refused = webhooks.get_outgoing_webhook(signed(webhook, &key)).await;
    assert_eq!(field_of(refused.unwrap_err()), "id");
    let deliveries = ListDeliveriesRequest {
        webhook_id: "x".into(),
        ..Default::default()
    };
    let refused = webhooks.list_deliveries(signed(deliveries, &key)).await;
    assert_eq!(field_of(refused.unwrap_err()), "webhook_id");
}

/// The one field that a status complains of.
fn field_of(status: Status) -> String {
    let details = status.get_error_details();
    let violations = &details.bad_request().unwrap().field_violations;
    assert_eq!(violations.len(), 1, "{status:?}");
    violations[0].field.clone()
}
