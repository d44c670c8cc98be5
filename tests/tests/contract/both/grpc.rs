//! The services as internal teams call them: health, reflection, errors, deadlines.

use std::time::{Duration, Instant};

use guildhall_auth::{AccessRule, RpcTable};
use guildhall_proto::{
    identity::v1::{
        CreateCommunityApiKeyRequest, GetCommunityRequest, ListSigningKeysRequest,
        ResolveKeyRequest, api_key_service_client::ApiKeyServiceClient,
        authentication_service_client::AuthenticationServiceClient,
        credential_service_client::CredentialServiceClient,
        user_directory_service_client::UserDirectoryServiceClient,
    },
    messaging::v1::{SendMessageRequest, message_service_client::MessageServiceClient},
};
use guildhall_testkit::{Options, grpc::signed};
use guildhall_tests::{Community, key};
use prost::Message;
use tonic::{Code, Request, Status};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
use tonic_reflection::pb::v1::{
    ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
    server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
};
use tonic_types::StatusExt;

const SEND: &str = "/guildhall.messaging.v1.MessageService/SendMessage";

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

/// The services that our protos declare.
fn declared() -> Vec<String> {
    let rpcs = RpcTable::load().unwrap();
    let mut names: Vec<_> = rpcs
        .iter()
        .map(|(path, _)| path.split('/').nth(1).unwrap().to_owned())
        .collect();
    names.sort();
    names.dedup();
    names
}

#[tokio::test]
async fn health_speaks_for_the_whole_and_for_each_service() {
    let community = Community::start().await;
    for service in [vec![String::new()], declared()].concat() {
        let mut health = HealthClient::new(community.services.of(&service));
        let request = HealthCheckRequest {
            service: service.clone(),
        };
        let answer = health.check(request).await.unwrap().into_inner();
        assert_eq!(answer.status, 1, "{service:?} is SERVING");
    }
    let mut health = HealthClient::new(community.services.clone());
    let unknown = HealthCheckRequest {
        service: "no.such.Service".into(),
    };
    assert_eq!(
        health.check(unknown).await.unwrap_err().code(),
        Code::NotFound
    );
}

#[tokio::test]
async fn reflection_lists_every_service_and_describes_it() {
    let community = Community::start().await;
    for service in declared() {
        let mut reflection = ServerReflectionClient::new(community.services.of(&service));
        let mut ask = async |question: MessageRequest| {
            let request = ServerReflectionRequest {
                host: String::new(),
                message_request: Some(question),
            };
            let answers = reflection
                .server_reflection_info(futures::stream::iter([request]))
                .await;
            let mut answers = answers.unwrap().into_inner();
            let answer = answers.message().await.unwrap().unwrap();
            answer.message_response.unwrap()
        };
        let MessageResponse::ListServicesResponse(list) =
            ask(MessageRequest::ListServices(String::new())).await
        else {
            panic!("not a list");
        };
        let names = list.service.into_iter().map(|service| service.name);
        let names: Vec<_> = names.collect();
        assert!(names.contains(&service), "{service} is not in {names:?}");
        assert!(names.contains(&"grpc.health.v1.Health".to_owned()));
        let answer = ask(MessageRequest::FileContainingSymbol(service.clone())).await;
        assert!(
            matches!(answer, MessageResponse::FileDescriptorResponse(_)),
            "{service}"
        );
    }
}

/// A method that nobody has, called with a body that does not end: whoever reads it waits.
async fn call_unknown(community: &Community, path: &'static str) -> Status {
    let mut client = tonic::client::Grpc::new(community.services.of("guildhall"));
    client.ready().await.unwrap();
    let codec = tonic_prost::ProstCodec::<HealthCheckRequest, HealthCheckRequest>::default();
    let endless = futures::stream::pending();
    let path = http::uri::PathAndQuery::from_static(path);
    let call = client.client_streaming(Request::new(endless), path, codec);
    let answer = tokio::time::timeout(Duration::from_secs(10), call).await;
    answer.expect("an answer before the body").unwrap_err()
}

#[tokio::test]
async fn a_path_that_nobody_knows_is_refused_in_the_access_layer() {
    let community = Community::start().await;
    for path in [
        "/no.such.Service/Method",
        "/guildhall.messaging.v1.MessageService/NoSuchMethod",
        "/grpc.health.v1.Health/NoSuchMethod",
        "/grpc.reflection.v1.ServerReflection/NoSuchMethod",
        "/",
    ] {
        let status = call_unknown(&community, path).await;
        assert_eq!(status.code(), Code::Unimplemented, "{path}");
        assert_eq!(status.message(), "There is no such method", "{path}");
    }
}

#[tokio::test]
async fn an_error_says_why_and_where() {
    let community = Community::start().await;
    let mut messages = MessageServiceClient::new(community.services.clone());
    let general = community.demo.channel("general");
    let no_text = SendMessageRequest {
        text: String::new(),
        ..hello(general)
    };
    let cases = [
        (
            no_text,
            key_of(&community),
            Code::InvalidArgument,
            "MISSING_FIELD",
            Some("text"),
        ),
        (
            hello("0123456789abcdef01234567"),
            key_of(&community),
            Code::NotFound,
            "CHANNEL_NOT_FOUND",
            None,
        ),
        (
            hello(general),
            "Bearer garbage".into(),
            Code::Unauthenticated,
            "CREDENTIAL_INVALID",
            None,
        ),
        (
            hello(general),
            String::new(),
            Code::Unauthenticated,
            "CREDENTIAL_MISSING",
            None,
        ),
        (
            hello(general),
            format!("SystemKey {}", community.demo.system_api_key),
            Code::Unauthenticated,
            "CREDENTIAL_INVALID",
            None,
        ),
    ];
    for (request, credential, code, reason, field) in cases {
        let status = messages
            .send_message(signed(request, &credential))
            .await
            .unwrap_err();
        assert_eq!(status.code(), code, "{status:?}");
        let details = status.get_error_details();
        let info = details.error_info().unwrap();
        assert_eq!(
            (info.reason.as_str(), info.domain.as_str()),
            (reason, "guildhall")
        );
        let violations = details
            .bad_request()
            .map(|bad| &bad.field_violations[..])
            .unwrap_or_default();
        let fields: Vec<_> = violations
            .iter()
            .map(|violation| violation.field.as_str())
            .collect();
        assert_eq!(fields, field.into_iter().collect::<Vec<_>>(), "{status:?}");
    }
    let reader = community
        .keys()
        .community(key::spec(&["getMessages"]))
        .await;
    let request = signed(hello(general), &format!("Bearer {}", reader.text));
    let status = messages.send_message(request).await.unwrap_err();
    assert_eq!(status.code(), Code::PermissionDenied);
    assert_eq!(
        status.get_error_details().error_info().unwrap().reason,
        "PERMISSION_MISSING"
    );
}

#[tokio::test]
async fn a_rate_limit_tells_when_to_come_back() {
    let community = Community::start_with(Options {
        rate_limit: 1,
        ..Options::default()
    })
    .await;
    let mut messages = MessageServiceClient::new(community.services.clone());
    let general = community.demo.channel("general");
    let mut send = async || {
        messages
            .send_message(signed(hello(general), &key_of(&community)))
            .await
    };
    let mut refused = None;
    for _ in 0..50 {
        refused = send().await.err();
        if refused.is_some() {
            break;
        }
    }
    let status = refused.expect("fifty in a row are too many");
    assert_eq!(status.code(), Code::ResourceExhausted);
    let details = status.get_error_details();
    let delay = details.retry_info().unwrap().retry_delay.unwrap();
    assert!(delay > Duration::ZERO && delay <= Duration::from_secs(1));
}

#[tokio::test]
async fn what_services_tell_each_other_is_refused_to_everybody_else() {
    let community = Community::start().await;
    let refused = |status: Status| {
        assert_eq!(status.code(), Code::PermissionDenied, "{status:?}");
        assert_eq!(
            status.get_error_details().error_info().unwrap().reason,
            "INTERNAL_ONLY"
        );
    };
    let owner = format!("Bearer {}", community.demo.user("johndoe").jwt);
    let credentials = [
        key_of(&community),
        owner,
        format!("SystemKey {}", community.demo.system_api_key),
        "Bearer x".into(),
    ];
    for credential in credentials {
        let mut keys = CredentialServiceClient::new(community.services.clone());
        let request = ResolveKeyRequest {
            digest: vec![0; 32],
        };
        refused(
            keys.resolve_key(signed(request, &credential))
                .await
                .unwrap_err(),
        );
        let mut users = UserDirectoryServiceClient::new(community.services.clone());
        let request = GetCommunityRequest {
            community: community.slug(),
        };
        let mut request = signed(request, &credential);
        let forged = format!("{}.{}", u64::MAX, "0".repeat(64)).parse().unwrap();
        request.metadata_mut().insert("x-guildhall-peer", forged);
        refused(users.get_community(request).await.unwrap_err());
    }
    let internal = RpcTable::load().unwrap();
    let internal = internal
        .iter()
        .filter(|(_, rule)| *rule.access == AccessRule::Internal);
    for (path, _) in internal {
        let (_, status) = raw(&community, path, &key_of(&community), "10S", &[]).await;
        assert_eq!(status, "7", "{path} is PERMISSION_DENIED");
    }
}

/// A call as any HTTP/2 client makes it, so that no client-side deadline answers first.
async fn raw(
    community: &Community,
    path: &str,
    credential: &str,
    timeout: &str,
    message: &[u8],
) -> (u16, String) {
    let mut body = vec![0];
    body.extend(u32::try_from(message.len()).unwrap().to_be_bytes());
    body.extend(message);
    let client = reqwest::Client::builder()
        .http2_prior_knowledge()
        .build()
        .unwrap();
    let call = client
        .post(format!("{}{path}", community.platform.grpc()))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header("authorization", credential)
        .header("grpc-timeout", timeout)
        .body(body);
    let answer = call.send().await.unwrap();
    let status = answer.headers().get("grpc-status");
    let status = status
        .map(|status| status.to_str().unwrap().to_owned())
        .unwrap_or_default();
    (answer.status().as_u16(), status)
}

#[tokio::test]
async fn a_deadline_is_kept_by_the_server_too() {
    let community = Community::start().await;
    let message = hello(community.demo.channel("general")).encode_to_vec();
    let before = Instant::now();
    let exceeded = raw(&community, SEND, &key_of(&community), "1n", &message).await;
    assert_eq!(exceeded, (200, "4".to_owned()), "DEADLINE_EXCEEDED");
    assert!(before.elapsed() < Duration::from_secs(5));
    let in_time = raw(&community, SEND, &key_of(&community), "20S", &message).await;
    assert_eq!(
        in_time,
        (200, String::new()),
        "the status comes in the trailers"
    );
}

#[tokio::test]
async fn the_public_keys_need_no_credential_and_keys_need_an_admin() {
    let community = Community::start().await;
    let mut logins = AuthenticationServiceClient::new(community.services.clone());
    let keys = logins
        .list_signing_keys(ListSigningKeysRequest {})
        .await
        .unwrap()
        .into_inner()
        .keys;
    assert_eq!(keys[0].public_key.len(), 32);
    let mut keys = ApiKeyServiceClient::new(community.services.clone());
    let make = CreateCommunityApiKeyRequest {
        spec: Some(key::spec(&["sendMessage"])),
    };
    let grace = format!("Bearer {}", community.demo.user("grace").jwt);
    let status = keys
        .create_community_api_key(signed(make.clone(), &grace))
        .await
        .unwrap_err();
    assert_eq!(
        status.get_error_details().error_info().unwrap().reason,
        "ROLE_MISSING"
    );
    let ada = format!("Bearer {}", community.demo.user("ada").jwt);
    let made = keys
        .create_community_api_key(signed(make, &ada))
        .await
        .unwrap()
        .into_inner();
    assert!(made.key.len() == 64 && !made.api_key.unwrap().masked_key.contains(&made.key[4..60]));
    let unknown = CreateCommunityApiKeyRequest {
        spec: Some(key::spec(&["SendMessage"])),
    };
    let status = keys
        .create_community_api_key(signed(unknown, &ada))
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
}

#[tokio::test]
async fn an_unknown_method_is_unimplemented() {
    let community = Community::start().await;
    for path in [
        "/guildhall.messaging.v1.MessageService/Nothing",
        "/no.such.Service/Method",
    ] {
        assert_eq!(
            raw(&community, path, &key_of(&community), "5S", &[]).await,
            (200, "12".to_owned()),
            "{path}"
        );
    }
    // A body that is no message is the caller's fault.
    let garbage = raw(&community, SEND, &key_of(&community), "5S", &[0xff; 20]).await;
    assert!(["3", "13"].contains(&garbage.1.as_str()), "{garbage:?}");
    let request = Request::new(hello("general"));
    let missing = MessageServiceClient::new(community.services.clone())
        .send_message(request)
        .await;
    assert_eq!(missing.unwrap_err().code(), Code::Unauthenticated);
}
