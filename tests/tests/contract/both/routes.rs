//! What every answer has in common: unknown routes, methods, request ids, health, keys, reference.

use guildhall_tests::{
    Community, Differences, Family, OPERATIONS, Operation, Refusal, operation::Kind,
};
use http::Method;
use serde_json::json;

#[tokio::test]
async fn an_unknown_route_is_a_404_of_its_own() {
    let community = Community::start().await;
    for path in [
        "/",
        "/v1",
        "/v1/",
        "/v1/nothing",
        "/v1/messages/send/now",
        "/favicon.ico",
        "/v2/messages",
        "/v1//messages",
    ] {
        let answer = community.integrator().get(path).await;
        Family::E2.refuses(&answer, Refusal::NotFound);
        assert_eq!(answer.json()["message"], "Route not found.", "{path}");
    }
    // Without a credential, too: there is nothing to protect.
    let answer = community.rest.get("/v1/nothing").send().await;
    Family::E2.refuses(&answer, Refusal::NotFound);
    let project = &community.demo.community_id;
    let answer = community
        .member("ada")
        .get(&format!("/api/chat/projects/{project}/nothing"))
        .await;
    assert_eq!(answer.status, 404, "{}", answer.body);
}

#[tokio::test]
async fn a_known_path_with_another_method_says_which_it_takes() {
    let community = Community::with_all_records().await;
    let parameters = community.parameters();
    let mut differences = Differences::default();
    let paths = OPERATIONS
        .iter()
        .filter(|operation| operation.family != Family::Sendbird);
    for operation in paths {
        let path = parameters.fill(&operation.path);
        let others = [Method::PUT, Method::PATCH, Method::DELETE];
        let other = others.into_iter().find(|method| {
            let is_same = |other: &&Operation| other.path == operation.path;
            OPERATIONS
                .iter()
                .filter(is_same)
                .all(|taken| taken.method != *method)
        });
        for method in [Some(Method::TRACE), other].into_iter().flatten() {
            let by = community.credential(operation.kinds[0]);
            let answer = community.by(by).call(method.clone(), &path).send().await;
            let allowed = answer.header("allow").unwrap_or_default();
            let right = answer.status == 405 && allowed.contains(operation.method.as_str());
            let found = format!("{} Allow: {allowed:?} {}", answer.status, answer.body);
            differences.expect(right, format!("{method} {path}"), found);
        }
    }
    differences.assert_none();
}

#[tokio::test]
async fn a_literal_segment_wins_over_a_parameter() {
    let community = Community::start().await;
    // `send` is no message id, though `/v1/messages/{messageId}` would match it.
    let answer = community.integrator().get("/v1/messages/send").await;
    assert_eq!(answer.status, 405, "{}", answer.body);
    assert_eq!(answer.header("allow"), Some("POST"));
    let body = json!({ "messageId": community.demo.message_id, "emoji": "👍", "sender": "ada" });
    community
        .integrator()
        .post("/v1/messages/react", &body)
        .await
        .expect(200);
    let alias = community
        .integrator()
        .delete_with("/v1/messages/react", &body)
        .await
        .expect(200);
    assert_eq!(alias["message"], "Reaction removed successfully");
}

#[tokio::test]
async fn every_answer_names_its_request() {
    let community = Community::with_all_records().await;
    let mut paths: Vec<_> = OPERATIONS
        .iter()
        .map(|operation| community.parameters().fill(&operation.path))
        .collect();
    paths.extend(["/healthz", "/readyz", "/docs", "/v1/nothing", "/v3/nothing"].map(str::to_owned));
    let longest = "r".repeat(128);
    for path in paths {
        for chosen in ["my-request 7", &longest] {
            let answer = community
                .rest
                .get(&path)
                .header("x-request-id", chosen)
                .send()
                .await;
            assert_eq!(answer.header("x-request-id"), Some(chosen), "{path}");
        }
        for refused in [&"r".repeat(129), "", "é"] {
            let answer = community
                .rest
                .get(&path)
                .header("x-request-id", refused)
                .send()
                .await;
            let made = answer.header("x-request-id").unwrap();
            assert!(made.len() == 32 && made != refused, "{path}: {made:?}");
        }
    }
}

#[tokio::test]
async fn every_answer_of_the_contract_is_json() {
    let community = Community::with_all_records().await;
    for operation in OPERATIONS.iter() {
        let by = community.credential(operation.kinds[0]);
        let answer = community.call(operation, &by).await;
        let media = answer.header("content-type").unwrap_or_default();
        assert!(
            media.starts_with("application/json"),
            "{}: {media}",
            operation.id
        );
        let refused = operation
            .unsigned(&community.rest, &community.parameters())
            .send()
            .await;
        let media = refused.header("content-type").unwrap_or_default();
        assert!(
            media.starts_with("application/json"),
            "{}: {media}",
            operation.id
        );
    }
}

#[tokio::test]
async fn health_readiness_and_keys_are_published() {
    let community = Community::start().await;
    assert_eq!(
        community.rest.get("/healthz").send().await.expect(200),
        json!({ "status": "ok" })
    );
    assert_eq!(community.rest.get("/readyz").send().await.status, 200);
    let keys = community
        .rest
        .get("/.well-known/jwks.json")
        .send()
        .await
        .expect(200);
    let keys = keys["keys"].as_array().unwrap();
    assert_eq!(keys.len(), 1);
    for (field, value) in [
        ("kty", "OKP"),
        ("crv", "Ed25519"),
        ("alg", "EdDSA"),
        ("use", "sig"),
    ] {
        assert_eq!(keys[0][field], value, "{field}");
    }
    assert!(keys[0].get("d").is_none(), "never the private half");
    assert_eq!(
        keys[0]["x"].as_str().unwrap().len(),
        43,
        "32 bytes in base64url"
    );
    assert!(keys[0]["kid"].is_string());
}

#[tokio::test]
async fn the_served_document_is_the_committed_one() {
    let community = Community::start().await;
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../gateway/openapi.json");
    let committed = std::fs::read_to_string(path).unwrap();
    let committed: serde_json::Value = serde_json::from_str(&committed).unwrap();
    let served = community
        .rest
        .get("/v1/openapi.json")
        .send()
        .await
        .expect(200);
    assert_eq!(served, committed);
}

#[tokio::test]
async fn the_reference_needs_no_internet() {
    let community = Community::start().await;
    let page = community.rest.get("/docs").send().await;
    assert_eq!(page.status, 200);
    assert!(
        page.header("content-type")
            .unwrap()
            .starts_with("text/html")
    );
    let mut parts = page.body.split(['"', '\'']);
    let mut assets = Vec::new();
    while let Some(part) = parts.next() {
        if part.ends_with("src=") || part.ends_with("href=") {
            assets.extend(parts.next());
        }
    }
    assert!(!assets.is_empty(), "{}", page.body);
    for asset in assets {
        assert!(!asset.contains("//"), "{asset} lies elsewhere");
        let path = match asset.strip_prefix('/') {
            Some(path) => format!("/{path}"),
            None => format!("/docs/{}", asset.trim_start_matches("./")),
        };
        let answer = community.rest.get(&path).send().await;
        assert_eq!(answer.status, 200, "{asset}");
        let foreign = ["https://unpkg.com", "https://cdn.", "https://fonts."];
        assert!(
            !foreign.iter().any(|host| answer.body.contains(host)),
            "{asset}"
        );
    }
}

#[tokio::test]
async fn the_key_of_a_call_describes_itself() {
    let community = Community::start().await;
    for (kind, name) in [(Kind::CommunityKey, "community"), (Kind::UserKey, "user")] {
        let answer = community
            .by(community.credential(kind))
            .get("/v1/users/apikeys/info")
            .await
            .expect(200);
        assert_eq!(
            answer["meta"],
            json!({ "status": "success", "statusCode": 200 })
        );
        assert_eq!(answer["message"], "Get API key info success.");
        let data = answer["data"].as_object().unwrap();
        assert_eq!(data["type"], name);
        assert_eq!(data["communityId"], community.demo.community_id.as_str());
        let user = if kind == Kind::UserKey {
            json!(community.demo.users[0]._id)
        } else {
            json!(null)
        };
        assert_eq!(data["userId"], user);
        assert!(!data["permissions"].as_array().unwrap().is_empty());
        assert_eq!(data["isActive"], true);
        for field in ["_id", "name", "expirePeriod", "expireDate", "createdAt"] {
            assert!(data.contains_key(field), "{field}");
        }
        assert!(!data.contains_key("key"));
    }
}
