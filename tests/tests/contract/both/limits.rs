//! Limits of size and of rate, each named in its family's words.

use std::time::Duration;

use guildhall_testkit::{Answer, Options};
use guildhall_tests::{
    Community, Credential, Differences, Family, OPERATIONS, Operation, Refusal, operation::Kind,
};
use serde_json::{Value, json};

/// One request per second, two at once.
async fn rate_limited() -> Community {
    Community::start_with(Options {
        rate_limit: 1,
        ..Options::default()
    })
    .await
}

fn number(answer: &Answer, header: &str) -> u64 {
    let text = answer
        .header(header)
        .unwrap_or_else(|| panic!("no {header}: {:?}", answer.headers));
    text.parse().unwrap_or_else(|_| panic!("{header}: {text}"))
}

/// Repeats a call until it is refused; the refusal, and how many were let through before it.
async fn until_refused(mut call: impl AsyncFnMut() -> Answer) -> (Answer, usize) {
    for passed in 0..50 {
        let answer = call().await;
        if answer.status == 429 {
            return (answer, passed);
        }
    }
    panic!("fifty requests in a row, and none too many");
}

#[tokio::test]
async fn too_many_in_a_row_are_refused_in_every_family() {
    let community = rate_limited().await;
    let sample = |id: &str, kind: Kind| (Operation::named(id), community.credential(kind));
    for (operation, by) in [
        sample("messages-list", Kind::CommunityKey),
        sample("apikeys-info", Kind::UserKey),
        sample("channels-create", Kind::SystemKey),
        sample("sb-messages-get", Kind::SendbirdToken),
        sample("mb-messages-list", Kind::Jwt),
    ] {
        let (id, parameters) = (operation.id, community.parameters());
        let (refused, passed) =
            until_refused(async || operation.make(&community.rest, &parameters, &by).await).await;
        assert!(
            passed >= 2,
            "{id}: twice the rate may come at once, not {passed}"
        );
        operation.family.refuses(&refused, Refusal::RateLimited);
        assert_eq!(number(&refused, "retry-after"), 1, "{id}");
        if operation.family == Family::Sendbird {
            assert_eq!(refused.header("x-ratelimit-limit"), Some("1;w=1"));
            assert_eq!(number(&refused, "x-ratelimit-retryafter"), 1);
        } else {
            assert_eq!(number(&refused, "x-ratelimit-limit"), 1, "{id}");
        }
        assert_eq!(number(&refused, "x-ratelimit-remaining"), 0, "{id}");
        number(&refused, "x-ratelimit-reset");
    }
}

#[tokio::test]
async fn what_is_left_is_told_with_every_answer_and_comes_back_in_time() {
    let community = rate_limited().await;
    let list = async || community.integrator().get("/v1/channels").await;
    let first = list().await;
    let told = [
        number(&first, "x-ratelimit-limit"),
        number(&first, "x-ratelimit-remaining"),
    ];
    assert_eq!(told, [1, 1]);
    let (refused, _) = until_refused(list).await;
    let wait = number(&refused, "retry-after");
    tokio::time::sleep(Duration::from_secs(wait)).await;
    list().await.expect(200);
}

#[tokio::test]
async fn the_limit_is_the_credentials_own_and_comes_before_everything_else() {
    let community = rate_limited().await;
    let garbage = async || community.bearer("garbage").get("/v1/channels").await;
    Family::E1.refuses(&garbage().await, Refusal::Unauthenticated);
    let (refused, _) = until_refused(garbage).await;
    Family::E1.refuses(&refused, Refusal::RateLimited);
    // Another credential has a limit of its own, and every prefix counts as one.
    let mut prefixes = ["/v1", "/apis/v1", "/api/v1", "/apis", ""].iter().cycle();
    let (_, passed) = until_refused(async || {
        let prefix = prefixes.next().unwrap();
        community
            .integrator()
            .get(&format!("{prefix}/channels"))
            .await
    })
    .await;
    assert!((2..5).contains(&passed), "{passed}");
    for _ in 0..5 {
        community.rest.get("/healthz").send().await.expect(200);
    }
}

#[tokio::test]
async fn zero_switches_the_limit_off() {
    let community = Community::start().await;
    for _ in 0..300 {
        let answer = community.integrator().get("/v1/users/apikeys/info").await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("x-ratelimit-limit"), None);
    }
}

#[tokio::test]
async fn passwords_can_be_guessed_twenty_times() {
    let community = Community::start().await;
    let login = async |email: &str, password: &str| {
        let body = json!({ "email": email, "password": password });
        community.system().post("/v1/auth/login", &body).await
    };
    let ada = community.demo.user("ada");
    for _ in 0..20 {
        Family::E3.refuses(&login(&ada.email, "wrong").await, Refusal::Unauthenticated);
    }
    let refused = login(&ada.email, &ada.password).await;
    Family::E3.refuses(&refused, Refusal::RateLimited);
    let wait = number(&refused, "retry-after");
    assert!((1..=900).contains(&wait), "{wait} seconds");
    let other_spelling = login(&ada.email.to_uppercase(), &ada.password).await;
    Family::E3.refuses(&other_spelling, Refusal::RateLimited);
    let grace = community.demo.user("grace");
    login(&grace.email, &grace.password).await.expect(200);
}

#[tokio::test]
async fn an_unknown_account_and_a_wrong_password_are_told_alike() {
    let community = Community::start().await;
    let login = async |body: Value| community.system().post("/v1/auth/login", &body).await;
    let wrong = login(json!({ "email": "ada@example.com", "password": "wrong" })).await;
    let unknown = login(json!({ "email": "nobody@example.com", "password": "wrong" })).await;
    Family::E3.refuses(&wrong, Refusal::Unauthenticated);
    assert_eq!((wrong.status, wrong.body), (unknown.status, unknown.body));
    let ada = community.demo.user("ada");
    let by_name = login(json!({ "username": "ADA", "password": ada.password })).await;
    assert_eq!(by_name.expect(200)["body"]["user"]["_id"], ada._id.as_str());
}

async fn post_raw(
    community: &Community,
    operation: &Operation,
    by: &Credential,
    media: &str,
    body: &str,
) -> Answer {
    let call = by.sign(operation.bare(&community.rest, &community.parameters()));
    call.header("Content-Type", media).body(body).send().await
}

#[tokio::test]
async fn a_body_over_the_limit_and_a_wrong_media_type_are_named_so() {
    let community = Community::with_all_records().await;
    let before = community.fingerprint().await;
    let mut differences = Differences::default();
    for (operation, by, good) in community.operations_with_body() {
        let mut body = Value::Object(good).to_string();
        for media in [
            "application/xml",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
            "image/png",
            "json",
        ] {
            let answer = post_raw(&community, operation, &by, media, &body).await;
            let case = format!("{} as {media}", operation.id);
            differences.note(
                case,
                operation.family.check(&answer, Refusal::WrongMediaType),
            );
        }
        // Blanks are JSON: only the size is wrong.
        body.push_str(&" ".repeat((1 << 20) + 1 - body.len()));
        let answer = post_raw(&community, operation, &by, "application/json", &body).await;
        differences.note(
            operation.id,
            operation.family.check(&answer, Refusal::TooLarge),
        );
    }
    differences.assert_none();
    community.fingerprint().await.assert_is(&before);
    // Exactly at the limit, a body is read.
    for (operation, by, good) in community.operations_with_body() {
        let mut body = Value::Object(good).to_string();
        body.push_str(&" ".repeat((1 << 20) - body.len()));
        let answer = post_raw(&community, operation, &by, "application/json", &body).await;
        assert_ne!(answer.status, 413, "{}", operation.id);
    }
}

#[tokio::test]
async fn a_refusal_arrives_however_much_is_still_being_sent() {
    let community = Community::start().await;
    let body = vec![b' '; 4 << 20];
    for (credential, refusal) in [
        ("garbage", Refusal::Unauthenticated),
        (community.demo.api_key.as_str(), Refusal::TooLarge),
    ] {
        for _ in 0..10 {
            let call = community.rest.post("/v1/messages/send").bearer(credential);
            let call = call.header("Content-Type", "application/json");
            Family::E1.refuses(&call.body(body.as_slice()).send().await, refusal);
        }
    }
}

#[tokio::test]
async fn a_header_of_20_kb_is_no_accident() {
    let community = Community::with_all_records().await;
    let (parameters, huge) = (community.parameters(), "a".repeat(20 * 1024));
    let mut differences = Differences::default();
    for operation in OPERATIONS.iter() {
        let by = community.credential(operation.kinds[0]);
        for name in ["X-Anything", "x-request-id", "User-Agent"] {
            let call = operation
                .call(&community.rest, &parameters, &by)
                .header(name, &huge);
            let answer = call.send().await;
            let case = format!("{} with {name}", operation.id);
            differences.note(case, operation.family.check(&answer, Refusal::Invalid));
        }
        let answer = operation
            .make(&community.rest, &parameters, &by.with_text(&huge))
            .await;
        let family = operation.family;
        let outcome = family.check(&answer, Refusal::Unauthenticated);
        let outcome = outcome.or_else(|_| family.check(&answer, Refusal::Invalid));
        differences.note(format!("{} with such a credential", operation.id), outcome);
    }
    differences.assert_none();
    let send = Operation::named("messages-send");
    for key in [&"k".repeat(256), "é", ""] {
        let call = send.call(
            &community.rest,
            &parameters,
            &community.credential(send.kinds[0]),
        );
        let answer = call.idempotency_key(key).send().await;
        Family::E1.refuses(&answer, Refusal::Invalid);
    }
    // What is larger than any server reads does not get as far as an envelope.
    let huger = community.rest.get("/v1/channels");
    let huger = huger.header("X-Anything", &"a".repeat(200 * 1024));
    assert_eq!(huger.send().await.status, 431);
    let alive = community.rest.get("/healthz").send().await;
    assert_eq!(alive.expect(200), json!({ "status": "ok" }));
}

#[tokio::test]
async fn an_address_is_believed_of_trusted_proxies_alone() {
    let proxies = vec!["--trusted-proxies".to_owned(), "127.0.0.0/8".to_owned()];
    for (args, believed) in [(Vec::new(), false), (proxies, true)] {
        let community = Community::start_with(Options {
            args,
            ..Options::default()
        })
        .await;
        let body = json!({ "email": "ada@example.com", "password": "wrong" });
        let attempt = async |address: &str| {
            let call = community
                .system()
                .call(http::Method::POST, "/v1/auth/login");
            call.header("X-Forwarded-For", address)
                .json(&body)
                .send()
                .await
        };
        for _ in 0..20 {
            let answer = attempt("203.0.113.7").await;
            Family::E3.refuses(&answer, Refusal::Unauthenticated);
        }
        Family::E3.refuses(&attempt("203.0.113.7").await, Refusal::RateLimited);
        let elsewhere = attempt("203.0.113.8").await;
        let refusal = if believed {
            Refusal::Unauthenticated
        } else {
            Refusal::RateLimited
        };
        Family::E3.refuses(&elsewhere, refusal);
    }
}

#[tokio::test]
async fn who_connects_and_says_nothing_is_cut_off() {
    let community = Community::start().await;
    for base in [community.platform.http(), community.platform.grpc()] {
        let address = base.strip_prefix("http://").unwrap();
        let mut silent = tokio::net::TcpStream::connect(address).await.unwrap();
        let mut answer = [0; 1];
        let closed = tokio::io::AsyncReadExt::read(&mut silent, &mut answer);
        let closed = tokio::time::timeout(Duration::from_secs(25), closed).await;
        assert_eq!(closed.expect("the connection is closed").unwrap(), 0);
    }
}

#[tokio::test]
async fn a_list_reaches_ten_thousand_records_deep_however_long_its_pages_are() {
    let community = Community::start().await;
    let list = async |page: u32, limit: u32| {
        let path = format!("/v1/webhooks/outgoing?page={page}&limit={limit}");
        community.integrator().get(&path).await
    };
    for (last, limit) in [(10_001, 1), (501, 20), (101, 100)] {
        list(last, limit).await.expect(200);
        let refused = list(last + 1, limit).await;
        Family::E2.refuses(&refused, Refusal::Invalid);
        let message = refused.expect(400)["message"].to_string();
        assert!(message.contains(&last.to_string()), "{message}");
    }
}
