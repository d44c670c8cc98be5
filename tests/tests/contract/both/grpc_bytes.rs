//! What callers of the services send as bytes and headers: the same mistakes are refused as over REST.

use bytes::Bytes;
use guildhall_auth::{AccessRule, CredentialKind, RpcTable};
use guildhall_proto::messaging::v1::{
    GetChannelRequest, channel_service_client::ChannelServiceClient,
};
use guildhall_testkit::grpc::signed;
use guildhall_tests::{Community, Differences};
use http_body_util::Full;
use tonic::{Code, Status, body::Body, codec::CompressionEncoding, metadata::MetadataValue};
use tonic_types::StatusExt;
use tower::{Service, ServiceExt};

/// A message as gRPC frames it: not compressed, with its length before it.
fn framed(message: &[u8]) -> Bytes {
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    [&[0], &length[..], message].concat().into()
}

/// What a method answers to these bytes.
async fn answer(community: &Community, path: &str, credential: &str, body: Bytes) -> Status {
    let (metadata, extensions, ()) = signed((), credential).into_parts();
    let mut request = http::Request::post(path)
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(Body::new(Full::new(body)))
        .unwrap();
    request.headers_mut().extend(metadata.into_headers());
    request.extensions_mut().extend(extensions);
    let mut services = community.services.clone();
    let answer = services.ready().await.unwrap().call(request).await.unwrap();
    Status::from_header_map(answer.headers()).unwrap_or_else(|| Status::ok("no status"))
}

fn credential(community: &Community, rule: &AccessRule) -> String {
    let AccessRule::Credential { kinds, .. } = rule else {
        return String::new();
    };
    let demo = &community.demo;
    match kinds.first() {
        Some(CredentialKind::SystemKey) => format!("SystemKey {}", demo.system_api_key),
        Some(CredentialKind::SendbirdToken) => format!("SendbirdToken {}", demo.sendbird.api_token),
        Some(CredentialKind::UserKey) => format!("Bearer {}", demo.user_api_key),
        Some(CredentialKind::Jwt) => format!("Bearer {}", demo.users[0].jwt),
        Some(CredentialKind::CommunityKey | CredentialKind::Unspecified) | None => {
            format!("Bearer {}", demo.api_key)
        }
    }
}

#[tokio::test]
async fn bytes_that_are_no_message_are_the_callers_mistake() {
    let community = Community::start().await;
    let before = community.fingerprint().await;
    let rpcs = RpcTable::load().unwrap();
    let mut differences = Differences::default();
    for (path, rule) in rpcs.iter() {
        let expected = match *rule.access {
            AccessRule::Internal => Code::PermissionDenied,
            AccessRule::Public | AccessRule::Credential { .. } => Code::InvalidArgument,
        };
        let by = credential(&community, &rule.access);
        for (what, body) in [
            ("bytes", framed(b"\xff\xff\xff\xff")),
            ("a text that is no UTF-8", framed(b"\x0a\x02\xff\xfe")),
            ("nothing", Bytes::new()),
            ("half a message", framed(b"\x0a\x20half")),
        ] {
            // A request without fields reads any field as an unknown one.
            let unknown = what == "a text that is no UTF-8";
            let status = answer(&community, path, &by, body).await;
            let right = status.code() == expected || (unknown && status.code() != Code::Internal);
            differences.expect(right, format!("{path} of {what}"), format!("{status:?}"));
        }
    }
    differences.assert_none();
    community.fingerprint().await.assert_is(&before);
}

#[tokio::test]
async fn a_message_is_as_large_as_its_method_takes_also_when_it_is_unpacked() {
    let community = Community::start().await;
    let rpcs = RpcTable::load().unwrap();
    let mut differences = Differences::default();
    for (path, rule) in rpcs.iter() {
        let outsiders = match *rule.access {
            AccessRule::Internal => continue,
            AccessRule::Public | AccessRule::Credential { .. } => {
                credential(&community, &rule.access)
            }
        };
        let message = vec![0xff; rule.max_request + 1];
        let status = answer(&community, path, &outsiders, framed(&message)).await;
        let right = reason(&status).as_deref() == Some("BODY_TOO_LARGE");
        differences.expect(right, path, format!("{status:?}"));
    }
    differences.assert_none();

    let key = format!("Bearer {}", community.demo.api_key);
    let client = ChannelServiceClient::new(community.services.clone());
    let mut client = client.send_compressed(CompressionEncoding::Gzip);
    let request = GetChannelRequest {
        channel: "a".repeat(8 * 1024 * 1024),
    };
    let refused = client.get_channel(signed(request, &key)).await.unwrap_err();
    assert_eq!(
        reason(&refused).as_deref(),
        Some("BODY_TOO_LARGE"),
        "{refused:?}"
    );
}

fn reason(status: &Status) -> Option<String> {
    let info = status.get_details_error_info();
    info.map(|info| info.reason)
}

#[tokio::test]
async fn a_client_may_compress() {
    let community = Community::start().await;
    let key = format!("Bearer {}", community.demo.api_key);
    let channel = community.demo.channel("general").to_owned();
    for encoding in [CompressionEncoding::Gzip, CompressionEncoding::Deflate] {
        let client = ChannelServiceClient::new(community.services.clone());
        let mut client = client.send_compressed(encoding).accept_compressed(encoding);
        let request = GetChannelRequest {
            channel: channel.clone(),
        };
        let found = client.get_channel(signed(request, &key)).await.unwrap();
        assert_eq!(found.into_inner().channel.unwrap().id, channel);
    }
}

#[tokio::test]
async fn metadata_that_is_there_twice_is_refused() {
    let community = Community::start().await;
    let key = format!("Bearer {}", community.demo.api_key);
    let mut channels = ChannelServiceClient::new(community.services.clone());
    for second in [key.clone(), "Bearer other".to_owned()] {
        let request = GetChannelRequest {
            channel: community.demo.channel("general").to_owned(),
        };
        let mut request = signed(request, &key);
        let second = MetadataValue::try_from(&second).unwrap();
        request.metadata_mut().append("authorization", second);
        let refused = channels.get_channel(request).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{refused:?}");
    }
    let request = guildhall_proto::messaging::v1::CreateChannelRequest {
        topic: "Twice".into(),
        ..Default::default()
    };
    let system = format!("SystemKey {}", community.demo.system_api_key);
    let mut request = signed(request, &system);
    for key in ["one", "one"] {
        let key = MetadataValue::try_from(key).unwrap();
        request.metadata_mut().append("idempotency-key", key);
    }
    let refused = channels.create_channel(request).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument, "{refused:?}");
    assert!(refused.message().contains("Idempotency-Key"), "{refused:?}");
}

/// What the gateway's status and the service's code for the same credential both say.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    LetIn,
    Unauthenticated,
    Malformed,
}

async fn over_rest(community: &Community, authorization: &[&str]) -> Verdict {
    let call = community.rest.get("/v1/channels");
    let values = authorization.iter();
    let call = values.fold(call, |call, value| call.header("Authorization", value));
    match call.send().await.status {
        200 => Verdict::LetIn,
        401 => Verdict::Unauthenticated,
        400 => Verdict::Malformed,
        other => panic!("{other} for {authorization:?}"),
    }
}

async fn over_grpc(community: &Community, authorization: &[&str]) -> Verdict {
    const LIST: &str = "/guildhall.messaging.v1.ChannelService/ListChannels";
    let mut request = http::Request::post(LIST)
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(Body::new(Full::new(framed(&[]))))
        .unwrap();
    for value in authorization {
        let value = http::HeaderValue::from_bytes(value.as_bytes()).unwrap();
        request.headers_mut().append("authorization", value);
    }
    let mut services = community.services.clone();
    let answer = services.ready().await.unwrap().call(request).await.unwrap();
    let status = Status::from_header_map(answer.headers());
    let code = status.map_or(Code::Ok, |status| status.code());
    let verdicts = [
        (Code::Ok, Verdict::LetIn),
        (Code::Unauthenticated, Verdict::Unauthenticated),
        (Code::InvalidArgument, Verdict::Malformed),
    ];
    let mut verdicts = verdicts.into_iter();
    let verdict = verdicts.find(|(of, _)| *of == code);
    verdict
        .unwrap_or_else(|| panic!("{code:?} for {authorization:?}"))
        .1
}

#[tokio::test]
async fn both_doors_judge_a_credential_alike() {
    let community = Community::start().await;
    let key = &community.demo.api_key;
    let (good, long) = (
        format!("Bearer {key}"),
        format!("Bearer {}", "a".repeat(5_000)),
    );
    let (twice, spaced) = (format!("Bearer {key} {key}"), format!("  bearer   {key}  "));
    for (authorization, expected) in [
        (&[] as &[&str], Verdict::Unauthenticated),
        (&[&good], Verdict::LetIn),
        (&[&spaced], Verdict::LetIn),
        (&[""], Verdict::Unauthenticated),
        (&["Bearer"], Verdict::Unauthenticated),
        (&["Bearer "], Verdict::Unauthenticated),
        (&[key], Verdict::Unauthenticated),
        (&[&twice], Verdict::Unauthenticated),
        (&[&long], Verdict::Unauthenticated),
        (&["Basic YTpi"], Verdict::Unauthenticated),
        (&["Bearer käse"], Verdict::Unauthenticated),
        (&[&good, &good], Verdict::Malformed),
        (&[&good, "Bearer other"], Verdict::Malformed),
        (&["", &good], Verdict::Malformed),
    ] {
        assert_eq!(
            over_rest(&community, authorization).await,
            expected,
            "{authorization:?}"
        );
        assert_eq!(
            over_grpc(&community, authorization).await,
            expected,
            "{authorization:?}"
        );
    }
}
