//! Who is let in: every authenticated operation against every credential that it must refuse.

use std::time::{Duration, Instant, SystemTime};

use guildhall_testkit::Answer;
use guildhall_tests::{
    Community, Credential, Differences, Family, OPERATIONS, Refusal, key, operation::Kind,
};
use serde_json::json;

/// 64 hex that are nobody's key.
const NOBODYS: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

/// Calls every operation with every credential of `trials`, and expects the same refusal.
async fn refuse_all(community: &Community, trials: &[(String, Credential)], refusal: Refusal) {
    let mut differences = Differences::default();
    for operation in OPERATIONS.iter() {
        for (name, credential) in trials {
            if !operation.answers(credential) {
                continue;
            }
            let answer = community.call(operation, credential).await;
            let case = format!("{} with {name}", operation.id);
            differences.note(case, operation.family.check(&answer, refusal));
        }
    }
    differences.assert_none();
}

/// The first answer that is a refusal. Other processes hear of a revocation after it is answered.
async fn refused_within_a_second<A: Future<Output = Answer>>(ask: impl Fn() -> A) -> Answer {
    let revoked = Instant::now();
    loop {
        let begun = revoked.elapsed();
        let answer = ask().await;
        if answer.status != 200 {
            return answer;
        }
        assert!(begun < Duration::from_secs(1), "it lives on");
    }
}

/// How each kind of credential is presented.
fn headers(text: &str) -> [Credential; 3] {
    let text = text.to_owned();
    [
        Credential::Bearer(text.clone()),
        Credential::SystemKey(text.clone()),
        Credential::SendbirdToken(text),
    ]
}

#[tokio::test]
async fn whoever_may_is_let_in() {
    let community = Community::with_all_records().await;
    let mut differences = Differences::default();
    for operation in OPERATIONS.iter() {
        for kind in &operation.kinds {
            let answer = community
                .call(operation, &community.credential(*kind))
                .await;
            let right = operation.succeeds(&answer);
            let case = format!("{} with {kind:?}", operation.id);
            differences.expect(right, case, answer.body);
        }
    }
    differences.assert_none();
}

#[tokio::test]
async fn nobody_comes_in_without_a_credential_that_is_one() {
    let community = Community::with_all_records().await;
    let mut trials = vec![
        ("no credential".to_owned(), Credential::Missing),
        ("an empty one".to_owned(), Credential::Empty),
    ];
    let long = "a".repeat(5_000);
    for text in [
        NOBODYS,
        &NOBODYS[..40],
        "garbage",
        "a.b.c",
        "é",
        "' OR 1=1 --",
        &long,
    ] {
        for credential in headers(text) {
            trials.push((format!("{credential:.60?}"), credential));
        }
    }
    refuse_all(&community, &trials, Refusal::Unauthenticated).await;
}

#[tokio::test]
async fn a_credential_of_another_kind_is_as_good_as_none() {
    let community = Community::with_all_records().await;
    let mut differences = Differences::default();
    for operation in OPERATIONS.iter() {
        let taken: Vec<_> = operation.all_kinds().collect();
        for kind in Kind::ALL {
            let own = community.credential(kind);
            let text = match &own {
                Credential::Bearer(text)
                | Credential::SystemKey(text)
                | Credential::SendbirdToken(text) => text,
                Credential::Missing | Credential::Empty => unreachable!("a credential has a text"),
            };
            for credential in headers(text) {
                let good = credential == own && taken.contains(&kind);
                if good || !operation.answers(&credential) {
                    continue;
                }
                let answer = community.call(operation, &credential).await;
                let case = format!(
                    "{} with a {kind:?} as {:.9}",
                    operation.id,
                    format!("{credential:?}")
                );
                differences.note(
                    case,
                    operation.family.check(&answer, Refusal::Unauthenticated),
                );
            }
        }
    }
    differences.assert_none();
}

#[tokio::test]
async fn a_token_is_refused_when_a_single_bit_is_not_ours() {
    let (community, other) = tokio::join!(Community::with_all_records(), Community::alone());
    let parts = |jwt: &str| {
        let parts: Vec<_> = jwt.split('.').map(str::to_owned).collect();
        <[String; 3]>::try_from(parts).unwrap()
    };
    let [header, payload, signature] = parts(&community.demo.user("grace").jwt);
    let [_, owner, _] = parts(&community.demo.user("johndoe").jwt);
    let [.., foreign] = parts(&other.demo.user("johndoe").jwt);
    // {"alg":"none"}, and {"typ":"JWT","alg":"HS256"}
    let (none, hmac) = (
        "eyJhbGciOiJub25lIn0",
        "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9",
    );
    let first = if signature.starts_with('A') { "B" } else { "A" };
    let bit = format!("{first}{}", &signature[1..]);
    let trials: Vec<_> = [
        (
            "another platform's token",
            other.demo.user("johndoe").jwt.clone(),
        ),
        (
            "another member's claims",
            format!("{header}.{owner}.{signature}"),
        ),
        (
            "another platform's signature",
            format!("{header}.{payload}.{foreign}"),
        ),
        ("a changed signature", format!("{header}.{payload}.{bit}")),
        ("no signature", format!("{header}.{payload}.")),
        ("algorithm none", format!("{none}.{payload}.")),
        ("algorithm HS256", format!("{hmac}.{payload}.{signature}")),
        ("two parts", format!("{header}.{payload}")),
    ]
    .map(|(name, text)| (name.to_owned(), Credential::Bearer(text)))
    .to_vec();
    refuse_all(&community, &trials, Refusal::Unauthenticated).await;
}

#[tokio::test]
async fn a_key_ends_with_its_life() {
    let community = Community::with_all_records().await;
    let all = ["getChannels", "getMessages", "sendMessage", "replyMessage"];
    let end = SystemTime::now() + Duration::from_millis(2_500);
    let by_community = community
        .keys()
        .community(key::expiring_at(key::spec(&all), end))
        .await;
    let user = community
        .keys()
        .user(key::expiring_at(key::spec(&all), end))
        .await;
    for key in [&by_community, &user] {
        community
            .bearer(&key.text)
            .get("/v1/channels")
            .await
            .expect(200);
    }
    let left = end.duration_since(SystemTime::now()).unwrap_or_default();
    tokio::time::sleep(left + Duration::from_millis(1)).await;
    let trials = [
        (
            "an expired community key".to_owned(),
            Credential::Bearer(by_community.text),
        ),
        (
            "an expired user key".to_owned(),
            Credential::Bearer(user.text),
        ),
    ];
    refuse_all(&community, &trials, Refusal::Unauthenticated).await;
}

#[tokio::test]
async fn a_revoked_key_dies_within_a_second_and_for_every_operation() {
    let community = Community::with_all_records().await;
    let all = ["getChannels", "getMessages", "sendMessage", "replyMessage"];
    let mut trials = Vec::new();
    for key in [
        community.keys().community(key::spec(&all)).await,
        community.keys().user(key::spec(&all)).await,
    ] {
        // It is warm in every cache before it is revoked.
        community
            .bearer(&key.text)
            .get("/v1/channels")
            .await
            .expect(200);
        community.keys().revoke(&key).await;
        let visitor = community.bearer(&key.text);
        let refused = refused_within_a_second(|| visitor.get("/v1/channels")).await;
        Family::E1.refuses(&refused, Refusal::Unauthenticated);
        trials.push(("a revoked key".to_owned(), Credential::Bearer(key.text)));
    }
    refuse_all(&community, &trials, Refusal::Unauthenticated).await;
}

#[tokio::test]
async fn a_token_that_an_operator_revokes_dies_within_a_second() {
    let community = Community::start().await;
    let by_community = community.demo.community_id.as_str();
    let made = community
        .platform
        .command(&["sendbird-token", "create", "--community", by_community])
        .await;
    let made: serde_json::Value = serde_json::from_slice(&made.stdout).unwrap();
    let token = Credential::SendbirdToken(made["apiToken"].as_str().unwrap().to_owned());
    let path = community
        .parameters()
        .fill("/v3/group_channels/{url}/messages/{number}");
    let visitor = community.by(token);
    visitor.get(&path).await.expect(200);
    let id = made["id"].as_str().unwrap();
    let revoke = ["sendbird-token", "revoke", "--community", by_community, id];
    assert!(community.platform.command(&revoke).await.status.success());
    let refused = refused_within_a_second(|| visitor.get(&path)).await;
    Family::Sendbird.refuses(&refused, Refusal::Unauthenticated);
}

#[tokio::test]
async fn two_different_credentials_are_refused() {
    let community = Community::with_all_records().await;
    let mut differences = Differences::default();
    for operation in OPERATIONS.iter() {
        for first in &operation.kinds {
            for second in Kind::ALL {
                let (own, other) = (community.credential(*first), community.credential(second));
                if std::mem::discriminant(&own) == std::mem::discriminant(&other) {
                    continue;
                }
                let call = operation.call(&community.rest, &community.parameters(), &own);
                let answer = other.sign(call).send().await;
                let case = format!("{} with {first:?} and {second:?}", operation.id);
                // Which of the two chooses the family of the answer is nobody's business.
                let outcomes = operation.families();
                let outcomes = outcomes.map(|family| family.check(&answer, Refusal::Invalid));
                let outcome = outcomes.reduce(Result::or);
                differences.note(case, outcome.expect("a family"));
            }
        }
    }
    differences.assert_none();
    let key = &community.demo.system_api_key;
    let twice = community
        .rest
        .get("/v1/channels")
        .system_key(key)
        .header("apiKey", key)
        .send()
        .await;
    twice.expect(200);
}

#[tokio::test]
async fn the_open_routes_ask_for_nothing() {
    let community = Community::start().await;
    for path in [
        "/healthz",
        "/readyz",
        "/v1/openapi.json",
        "/.well-known/jwks.json",
        "/docs",
    ] {
        assert_eq!(community.rest.get(path).send().await.status, 200, "{path}");
        let answer = community.bearer("garbage").get(path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    }
}

#[tokio::test]
async fn checks_come_in_the_order_of_the_contract() {
    let community = Community::start().await;
    let path = "/v1/messages/send";
    let reader = community
        .keys()
        .community(key::spec(&["getMessages"]))
        .await
        .text;
    let large = vec![b' '; (1 << 20) + 1];
    let wrong_media = ("Content-Type", "application/xml");
    let json = ("Content-Type", "application/json");
    let unknown = "0123456789abcdef01234567";
    let malformed = json!({ "channelId": "x", "sender": "nobody" }).to_string();
    let nowhere = json!({ "channelId": unknown, "message": "Hi", "sender": "ada" }).to_string();
    let key = &community.demo.api_key;
    for (credential, (name, value), body, refusal) in [
        (
            "garbage",
            wrong_media,
            large.clone(),
            Refusal::Unauthenticated,
        ),
        (&reader, wrong_media, large.clone(), Refusal::NoPermission),
        (&reader, json, b"{".to_vec(), Refusal::NoPermission),
        (key, json, large, Refusal::TooLarge),
        (key, wrong_media, b"{".to_vec(), Refusal::WrongMediaType),
        (key, json, malformed.into_bytes(), Refusal::Invalid),
        (key, json, nowhere.into_bytes(), Refusal::NotFound),
    ] {
        let call = community
            .rest
            .post(path)
            .bearer(credential)
            .header(name, value);
        Family::E1.refuses(&call.body(body).send().await, refusal);
    }
}
