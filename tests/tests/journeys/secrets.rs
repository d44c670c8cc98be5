//! No secret in a log, however talkative it is: every process's log is searched when it ends, here
//! as in all tests, for whatever the test has made, presented or sent.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use guildhall_proto::{
    identity::v1::{
        LoginRequest, authentication_service_client::AuthenticationServiceClient,
        login_request::Account,
    },
    messaging::v1::{SendMessageRequest, message_service_client::MessageServiceClient},
};
use guildhall_testkit::{
    Cluster, Options, Plan, Platform, Postgres, Rest, Stack,
    grpc::signed,
    output, process_of,
    secret::{self, Kind},
};
use guildhall_tests::{Community, OPERATIONS, key};
use serde_json::{Value, json};

const TEXT: &str = "Meet me behind the mill at midnight";
const WRONG: &str = "not the password at all";

fn all_there_is() -> Vec<String> {
    ["--log", "trace"].map(str::to_owned).into()
}

#[tokio::test]
async fn one_process_keeps_them() {
    let options = Options {
        args: all_there_is(),
        ..Options::default()
    };
    let community = Community::start_with(options).await;
    walk(&community).await;
    let (status, log) = community.platform.embedded().stop().await;
    assert!(status.success(), "{status}");
    assert_talkative(&log);
}

#[tokio::test]
async fn a_cluster_keeps_them_also_when_its_database_fails() {
    let plan = Plan {
        args: all_there_is(),
        // Else PostgreSQL itself logs the whole row that it refuses.
        settings: vec!["log_error_verbosity=terse".into()],
        ..Plan::default()
    };
    let cluster = Cluster::start_with(plan).await;
    let messages = cluster.database("messaging");
    let mut community = Community::around(cluster).await;
    walk(&community).await;

    let refuse = "ALTER TABLE messages ADD CONSTRAINT none CHECK (text = '') NOT VALID";
    sqlx::query(refuse).execute(&messages).await.unwrap();
    let body =
        json!({ "channelId": community.demo.channel("general"), "message": TEXT, "sender": "ada" });
    let integrator = community.integrator();
    let send = async || integrator.post("/v1/messages/send", &body).await;
    assert_eq!(send().await.status, 500);
    let Stack::Cluster(cluster) = &mut community.platform else {
        unreachable!("it is a cluster")
    };
    cluster.postgres.kill9().await;
    assert!(send().await.status >= 500);
    log_in(
        &community.rest,
        &community.demo.system_api_key,
        "ada@example.com",
        WRONG,
    )
    .await;
    for replica in cluster.replicas() {
        assert_talkative(&replica.log());
    }
}

/// It was asked for everything; and what processes present to each other is not in it either, which
/// no test knows.
fn assert_talkative(log: &str) {
    for level in ["DEBUG", "TRACE"] {
        assert!(log.contains(level), "no {level} in the log");
    }
    assert!(!log.contains("eyJ"), "a JWT is in the log");
}

/// Whatever has to do with secrets, well and badly done.
async fn walk(community: &Community) {
    every_operation(community).await;
    logins(community).await;
    new_keys(community).await;
    let demo = &community.demo;
    for rest in [
        community.rest.clone(),
        Rest::multiplexed(community.platform.http()),
    ] {
        for key in [&demo.api_key, &demo.user_api_key, &demo.mudbase.jwt] {
            misuse(&rest, key, &demo.system_api_key).await;
        }
        misuse(&rest, &demo.sendbird.api_token, &demo.api_key).await;
    }
}

async fn every_operation(community: &Community) {
    let parameters = community.parameters();
    for operation in OPERATIONS.iter() {
        for kind in &operation.kinds {
            let mut call = operation.bare(&community.rest, &parameters);
            if let Some(body) = operation.body {
                let mut body = body(&parameters);
                for text in ["message", "content"] {
                    if let Some(text) = body.get_mut(text) {
                        *text = TEXT.into();
                    }
                }
                call = call.json(&body);
            }
            community.credential(*kind).sign(call).send().await;
        }
    }
    let mut request = SendMessageRequest {
        channel: community.demo.channel("general").to_owned(),
        text: TEXT.into(),
        ..Default::default()
    };
    let mut messages = MessageServiceClient::new(community.services.clone());
    for credential in [&community.demo.mudbase.jwt, &community.demo.api_key] {
        for text in [TEXT, &format!("{TEXT}\0")] {
            request.text = text.into();
            let request = signed(request.clone(), &format!("Bearer {credential}"));
            let _ = messages.send_message(request).await;
        }
    }
}

async fn log_in(rest: &Rest, system_key: &str, email: &str, password: &str) -> Value {
    let body = json!({ "email": email, "password": password });
    let call = rest.post("/v1/auth/login").system_key(system_key);
    serde_json::from_str(&call.json(&body).send().await.body).unwrap()
}

async fn logins(community: &Community) {
    let system = &community.demo.system_api_key;
    for user in &community.demo.users {
        for password in [&user.password, WRONG, &user.password.to_uppercase()] {
            log_in(&community.rest, system, &user.email, password).await;
            let request = LoginRequest {
                account: Some(Account::Email(user.email.clone())),
                password: password.to_owned(),
            };
            let request = signed(request, &format!("SystemKey {system}"));
            let mut logins = AuthenticationServiceClient::new(community.services.clone());
            let _ = logins.login(request).await;
        }
    }
    for body in [
        format!(r#"{{"email":"ada@example.com","password":"{WRONG}""#),
        format!(r#"{{"email":"ada@example.com","password":["{WRONG}"]}}"#),
        format!(r#"{{"password":"{WRONG}","email":{{"password":"{WRONG}"}}}}"#),
        format!("email=ada%40example.com&password={WRONG}"),
    ] {
        for media_type in ["application/json", "application/x-www-form-urlencoded"] {
            let call = community.rest.post("/v1/auth/login").system_key(system);
            let answer = call.header("Content-Type", media_type).body(body.clone());
            let answer = answer.send().await;
            assert!(!answer.body.contains(WRONG), "{}", answer.body);
        }
    }
}

async fn new_keys(community: &Community) {
    let keys = community.keys();
    let spec = || key::spec(&["getMessages", "getChannels"]);
    for made in [keys.community(spec()).await, keys.user(spec()).await] {
        community
            .bearer(&made.text)
            .get("/v1/channels")
            .await
            .expect(200);
        keys.revoke(&made).await;
        community
            .bearer(&made.text)
            .get("/v1/channels")
            .await
            .expect(401);
    }
    let id_of_community = community.demo.community_id.as_str();
    let owner = ["--community", "Owls", "--owner-email", "owl@example.com"];
    for command in [
        [&["bootstrap"][..], &owner].concat(),
        vec!["sendbird-token", "create", "--community", id_of_community],
        vec!["keys", "rotate"],
    ] {
        let args = [&["--log", "trace"], command.as_slice()].concat();
        let done = community.platform.command(&args).await;
        let said = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success() && said.contains("INFO"), "{said}");
    }
}

/// A key where it does not belong, with others, or not quite right.
async fn misuse(rest: &Rest, key: &str, other: &str) {
    let channels = || rest.get("/v1/channels");
    let basic = format!("Basic {}", STANDARD.encode(format!("key:{key}")));
    let typo = |typo: &str| format!("{}{typo}", &key[..key.len() - 1]);
    for call in [
        channels().query(&[("api_key", key), ("token", key)]),
        rest.get(&format!("/v1/no-such-path?key={key}")),
        channels()
            .bearer(key)
            .query(&[("count", key), ("cursor", key)]),
        channels().bearer(key).system_key(other),
        channels().system_key(other).sendbird_token(key),
        channels().header("Authorization", key),
        channels().header("Authorization", &basic),
        channels().header("Authorization", &format!("Token {key}")),
        channels().header("Cookie", &format!("session={key}")),
        channels().header("Idempotency-Key", &format!("{key}é")),
        channels().bearer(&typo("")),
        channels().bearer(&typo("é")),
        channels().bearer(&typo("x")),
        channels().system_key(&typo("x")),
        channels().sendbird_token(&key.to_uppercase()),
    ] {
        let answer = call.send().await;
        assert!(!answer.body.contains(key), "{}", answer.body);
    }
}

#[tokio::test]
async fn a_url_that_does_not_work_is_told_without_its_password() {
    let postgres = Postgres::start().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secret.key");
    secret::write(&file, &"5e".repeat(32));
    let password = "p4ss/that nobody may read";
    secret::learn(Kind::Password, password);
    let escaped = "p4ss%2Fthat%20nobody%20may%20read";
    let there = postgres.address();
    let nats = "nats://127.0.0.1:1".to_owned();
    let database = postgres.url("community");
    for (database, nats) in [
        (
            format!("postgres://guildhall:{escaped}@{there}/community"),
            &nats,
        ),
        (
            format!("postgres://guildhall:{escaped}@{there}/community?sslmode=no"),
            &nats,
        ),
        (
            format!("postgres://guildhall:{password}@{there}/community"),
            &nats,
        ),
        (
            format!("mysql://guildhall:{escaped}@{there}/community"),
            &nats,
        ),
        (
            database.clone(),
            &format!("nats://guildhall:{escaped}@no such host"),
        ),
        (
            database.clone(),
            &format!("guildhall:{password}@127.0.0.1:1"),
        ),
        (
            database.clone(),
            &format!("http://guildhall:{escaped}@127.0.0.1:1"),
        ),
        (
            database.clone(),
            &format!("nats://guildhall:1#{escaped}@127.0.0.1:1"),
        ),
    ] {
        for (binary, addresses) in [
            (
                "guildhall",
                ["--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0"],
            ),
            (
                "guildhall-identity",
                ["--grpc", "127.0.0.1:0", "--log", "trace"],
            ),
        ] {
            let file = file.to_str().unwrap();
            let args = [&addresses[..], &["--secret-key-file", file]].concat();
            let mut process = process_of(binary, &args);
            process.env("GUILDHALL_DATABASE_URL", &database);
            process
                .env("GUILDHALL_NATS_URL", nats)
                .env("GUILDHALL_LOG", "trace");
            let output = output(process).await;
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(!output.status.success(), "{binary} {nats}: {said}");
        }
    }
}

#[tokio::test]
async fn a_collector_that_cannot_be_is_told_without_its_password() {
    let folder = tempfile::tempdir().unwrap();
    let password = "p^ss-of-the-collector";
    secret::learn(Kind::Password, password);
    let data_dir = folder.path().to_str().unwrap();
    let args = ["--data-dir", data_dir, "--grpc", "127.0.0.1:0"];
    let mut process = process_of("guildhall", &args);
    let endpoint = format!("https://guildhall:{password}@127.0.0.1:1");
    process.env("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint);
    let output = output(process).await;
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "{said}");
    assert!(said.contains("OTEL_EXPORTER_OTLP_ENDPOINT"), "{said}");
    assert!(!said.contains(password), "{said}");
}

#[tokio::test]
async fn a_broker_that_is_away_is_told_without_its_password() {
    let password = "p4ss-that-nobody-may-read";
    secret::learn(Kind::Password, password);
    let postgres = Postgres::start().await;
    let nats = format!("nats://guildhall:{password}@127.0.0.1:1,nats://{password}@127.0.0.1:2");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secret.key");
    secret::write(&file, &"5e".repeat(32));
    let secret_key = ["--secret-key-file", file.to_str().unwrap()].map(str::to_owned);
    let platform = Platform::start_with(Options {
        args: [all_there_is(), secret_key.into()].concat(),
        variables: vec![
            ("GUILDHALL_DATABASE_URL", postgres.url("community")),
            ("GUILDHALL_NATS_URL", nats),
        ],
        ..Options::default()
    });
    let community = Community::around(platform.await).await;
    community
        .send(community.demo.channel("general"), "ada", TEXT)
        .await;
    assert!(community.platform.embedded().log().contains("WARN"));
}
