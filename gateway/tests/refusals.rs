//! What the gateway answers by itself, with nobody behind it.

#![allow(clippy::unwrap_used, reason = "a step that fails fails its test")]

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use guildhall_auth::{
    AccessRule, CredentialKind, Guard, Permission, RateLimit, credential::digest_of,
    source::CredentialSource,
};
use guildhall_catalog::SERVICES;
use guildhall_gateway::{Gateway, Settings, endpoints, service};
use guildhall_proto::identity::v1::{ResolveKeyResponse, ResolveSessionResponse, SigningKey};
use guildhall_runtime::{Peer, Result, Shutdown};
use guildhall_server::Peers;
use guildhall_signals::Signals;
use guildhall_types::{CommunityId, KeyId, UserId};
use http::{HeaderMap, Request, StatusCode};
use serde_json::{Value, json};
use tower::{BoxError, ServiceExt, service_fn};

/// A community's keys, as identity would resolve them.
struct Keyring(CommunityId);

#[async_trait::async_trait]
impl CredentialSource for Keyring {
    async fn key(&self, digest: [u8; 32]) -> Result<Option<ResolveKeyResponse>> {
        let known = [
            (
                "writer",
                CredentialKind::CommunityKey,
                vec![Permission::SendMessage],
            ),
            (
                "reader",
                CredentialKind::CommunityKey,
                vec![Permission::GetMessages],
            ),
            ("system", CredentialKind::SystemKey, Vec::new()),
            ("sendbird", CredentialKind::SendbirdToken, Vec::new()),
        ];
        let found = known
            .into_iter()
            .find(|(text, ..)| digest_of(text) == digest);
        Ok(found.map(|(_, kind, permissions)| ResolveKeyResponse {
            key_id: KeyId::generate().to_string(),
            kind: kind.into(),
            community_id: self.0.to_string(),
            user_id: UserId::generate().to_string(),
            permissions: permissions.into_iter().map(Into::into).collect(),
            ..ResolveKeyResponse::default()
        }))
    }

    async fn session(
        &self,
        _community: CommunityId,
        _user: UserId,
    ) -> Result<Option<ResolveSessionResponse>> {
        Ok(None)
    }

    async fn signing_keys(&self) -> Result<Vec<SigningKey>> {
        Ok(Vec::new())
    }
}

fn gateway(per_second: u32, shutdown: Shutdown) -> Gateway {
    let source = Arc::new(Keyring(CommunityId::generate()));
    let guard = Guard::new(
        source,
        RateLimit::per_second(per_second),
        &Signals::default(),
    );
    let nobody = Peer::in_process(service_fn(async |_request| {
        Err::<http::Response<tonic::body::Body>, _>(BoxError::from("nobody is there"))
    }));
    let services = SERVICES.iter().map(|service| (*service, nobody.clone()));
    let services: Peers = services.collect();
    let here = ([127, 0, 0, 1], 8080).into();
    service(&services, guard, Settings::default(), here, shutdown).unwrap()
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Value,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }
}

async fn ask(gateway: &Gateway, request: http::request::Builder, body: impl Into<Body>) -> Answer {
    let request = request.body(body.into()).unwrap();
    let Ok(answer) = gateway.clone().oneshot(request).await;
    let (parts, body) = answer.into_parts();
    assert!(parts.headers.contains_key("x-request-id"));
    let body = to_bytes(body, usize::MAX).await.unwrap();
    Answer {
        status: parts.status,
        headers: parts.headers,
        body: serde_json::from_slice(&body).unwrap_or_default(),
    }
}

fn post(path: &str) -> http::request::Builder {
    Request::post(path).header("content-type", "application/json")
}

fn send(credential: &str) -> http::request::Builder {
    post("/v1/messages/send").header("authorization", format!("Bearer {credential}"))
}

#[tokio::test]
async fn no_route_is_told_in_the_family_of_the_path() {
    let gateway = gateway(0, Shutdown::default());
    let answer = ask(&gateway, Request::get("/v1/nothing"), "").await;
    assert_eq!(answer.status, 404);
    let expected = json!({
        "meta": { "status": "error", "statusCode": 404 }, "message": "Route not found."
    });
    assert_eq!(answer.body, expected);

    let answer = ask(&gateway, Request::get("/v3/nothing"), "").await;
    assert_eq!(
        (answer.status.as_u16(), &answer.body["code"]),
        (400, &json!(400_930))
    );

    let answer = ask(&gateway, Request::get("/api/chat/projects/p/nothing"), "").await;
    assert_eq!(
        (answer.status.as_u16(), &answer.body["code"]),
        (404, &json!("NOT_FOUND"))
    );
}

#[tokio::test]
async fn another_method_is_told_with_those_that_there_are() {
    let gateway = gateway(0, Shutdown::default());
    for (path, allowed) in [
        ("/v1/messages/send", "POST"),
        ("/apis/v1/messages/react/", "POST,DELETE"),
        ("/v3/group_channels/c/messages", "GET,HEAD,POST"),
        ("/healthz", "GET,HEAD"),
    ] {
        let answer = ask(&gateway, Request::put(path), "").await;
        assert_eq!(answer.status, 405, "{path}");
        let mut methods: Vec<_> = answer.header("allow").split(',').collect();
        let mut expected: Vec<_> = allowed.split(',').collect();
        methods.sort_unstable();
        expected.sort_unstable();
        assert_eq!(methods, expected, "{path}");
    }
}

#[tokio::test]
async fn every_endpoint_but_the_public_ones_asks_for_a_credential() {
    let gateway = gateway(0, Shutdown::default());
    for endpoint in endpoints().unwrap() {
        // Their own credentials are for their services to check.
        if ["webhooks-in-receive", "workflows-event"].contains(&endpoint.id) {
            assert_eq!(endpoint.access, AccessRule::Public);
            continue;
        }
        let request = Request::builder().method(endpoint.method.clone());
        let path = endpoint.path.replace(['{', '}'], "");
        let answer = ask(&gateway, request.uri(&path), "").await;
        let expected = match endpoint.family.contract_name() {
            "sendbird" => 400,
            "bare" => continue,
            _ => 401,
        };
        assert_eq!(answer.status, expected, "{}", endpoint.id);
    }
}

#[tokio::test]
async fn the_checks_come_in_the_order_of_the_contract() {
    let gateway = gateway(0, Shutdown::default());
    let huge = vec![b' '; 1024 * 1024 + 1];
    let wrong = |credential: &str| {
        let request = Request::post("/v1/messages/send").header("content-type", "text/html");
        request.header("authorization", format!("Bearer {credential}"))
    };
    let told = async |request, body: Vec<u8>| {
        let answer = ask(&gateway, request, body).await;
        (
            answer.status.as_u16(),
            answer.body["message"].as_str().unwrap().to_owned(),
        )
    };
    assert_eq!(
        told(wrong("nobody"), huge.clone()).await,
        (401, "Invalid token".into())
    );
    assert_eq!(
        told(wrong("reader"), huge.clone()).await,
        (401, "Insufficient permission".into())
    );
    assert_eq!(told(wrong("writer"), huge).await.0, 413);
    assert_eq!(told(wrong("writer"), b"no json".to_vec()).await.0, 415);
    assert_eq!(told(send("writer"), b"no json".to_vec()).await.0, 400);
    let missing = told(send("writer"), br#"{"message":"m"}"#.to_vec()).await;
    assert_eq!(missing, (400, "channelId is required".into()));
    let malformed = br#"{"channelId":"r3444rf556tg","message":"m","sender":"s"}"#.to_vec();
    assert_eq!(
        told(send("writer"), malformed).await,
        (400, "channelId must be 24 hexadecimal characters".into())
    );
}

#[tokio::test]
async fn two_credentials_are_a_bad_request() {
    let gateway = gateway(0, Shutdown::default());
    let answer = ask(&gateway, send("writer").header("x-api-key", "system"), "{}").await;
    assert_eq!(answer.status, 400);
    let answer = ask(
        &gateway,
        send("writer").header("authorization", "Bearer writer"),
        "{}",
    )
    .await;
    assert_eq!(
        answer.body["message"], "Send one credential, once",
        "not even the same twice"
    );
}

#[tokio::test]
async fn the_credential_chooses_the_envelope_of_the_channel_list() {
    let gateway = gateway(0, Shutdown::default());
    let list = || Request::get("/v1/channels");
    let by_key = ask(
        &gateway,
        list().header("authorization", "Bearer nobody"),
        "",
    )
    .await;
    assert_eq!(by_key.body["status"], "error");
    let by_system_key = ask(&gateway, list().header("x-api-key", "nobody"), "").await;
    assert_eq!(by_system_key.body["meta"]["success"], false);
}

#[tokio::test]
async fn an_exhausted_limit_says_when_to_come_back() {
    let gateway = gateway(1, Shutdown::default());
    let call = || Request::get("/v3/group_channels/c/messages/1").header("api-token", "sendbird");
    let first = ask(&gateway, call(), "").await;
    assert_eq!(first.header("x-ratelimit-limit"), "1;w=1");
    assert_eq!(first.header("x-ratelimit-remaining"), "1");
    ask(&gateway, call(), "").await;
    let refused = ask(&gateway, call(), "").await;
    assert_eq!(
        (refused.status.as_u16(), &refused.body["code"]),
        (429, &json!(500_910))
    );
    assert_eq!(refused.header("x-ratelimit-remaining"), "0");
    assert_eq!(refused.header("x-ratelimit-retryafter"), "1");
    assert_eq!(refused.header("retry-after"), "1");

    let another = ask(&gateway, send("writer"), "{}").await;
    assert_eq!(
        another.status, 400,
        "another credential has a limit of its own"
    );
    assert_eq!(another.header("x-ratelimit-limit"), "1");
}

#[tokio::test]
async fn with_nobody_behind_it_the_gateway_says_try_again() {
    let gateway = gateway(0, Shutdown::default());
    let body = json!({ "channelId": "a".repeat(24), "message": "m", "sender": "s" }).to_string();
    let answer = ask(&gateway, send("writer"), body).await;
    assert_eq!(answer.status, 503);
    assert_eq!(answer.header("retry-after"), "1");
    assert!(
        !answer.body.to_string().contains("nobody is there"),
        "internals stay inside"
    );

    let ready = ask(&gateway, Request::get("/readyz"), "").await;
    assert_eq!(ready.status, 503);
    let down: Vec<_> = SERVICES.iter().map(|service| service.name).collect();
    assert_eq!(ready.body, json!({ "status": "unavailable", "down": down }));
    assert_eq!(
        ask(&gateway, Request::get("/healthz"), "").await.status,
        200
    );
}

#[tokio::test]
async fn a_gateway_that_stops_is_no_longer_ready() {
    let shutdown = Shutdown::default();
    let gateway = gateway(0, shutdown.clone());
    shutdown.start();
    let ready = ask(&gateway, Request::get("/readyz"), "").await;
    assert_eq!(
        (ready.status.as_u16(), &ready.body["status"]),
        (503, &json!("stopping"))
    );
}

#[tokio::test]
async fn limits_of_headers_and_idempotency_keys() {
    let gateway = gateway(0, Shutdown::default());
    let answer = ask(
        &gateway,
        send("writer").header("x-much", "x".repeat(70_000)),
        "{}",
    )
    .await;
    assert_eq!(answer.body["message"], "Request headers are too large");
    for key in ["", &"k".repeat(256), "ä"] {
        let answer = ask(
            &gateway,
            send("writer").header("idempotency-key", key),
            "{}",
        )
        .await;
        assert_eq!(
            answer.body["errors"][0]["field"], "Idempotency-Key",
            "{key:?}"
        );
    }
}

#[tokio::test]
async fn the_reference_is_all_in_the_binary() {
    let gateway = gateway(0, Shutdown::default());
    assert_eq!(
        ask(&gateway, Request::get("/docs"), "")
            .await
            .header("location"),
        "/docs/"
    );
    for file in [
        "",
        "swagger-ui-bundle.js",
        "swagger-ui.css",
        "swagger-initializer.js",
    ] {
        let answer = ask(&gateway, Request::get(format!("/docs/{file}")), "").await;
        assert_eq!(answer.status, 200, "{file}");
    }
    let document = ask(&gateway, Request::get("/v1/openapi.json"), "").await;
    assert_eq!(document.body["openapi"], "3.1.0");
}
