//! An operator ends JWTs before their seven days: those of a user, or all that a key signed.

use std::{
    process::Output,
    time::{Duration, Instant},
};

use guildhall_proto::messaging::v1::{
    ListMessagesRequest, message_service_client::MessageServiceClient,
};
use guildhall_testkit::{grpc::signed, secret};
use guildhall_tests::Community;
use serde_json::json;
use tokio::time::sleep;
use tonic::Code;

/// How long a revoked JWT may be let in.
const PROMISE: Duration = Duration::from_secs(1);

fn text(output: &Output) -> String {
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    format!("{out}{err}")
}

/// What a command that succeeds says.
async fn command(community: &Community, args: &[&str]) -> String {
    let done = community.platform.command(args).await;
    assert!(done.status.success(), "{args:?}: {}", text(&done));
    text(&done)
}

/// What a command that is refused says.
async fn refused(community: &Community, args: &[&str]) -> String {
    let done = community.platform.command(args).await;
    assert!(!done.status.success(), "{args:?}: {}", text(&done));
    text(&done)
}

async fn log_in(community: &Community, username: &str) -> String {
    let user = community.demo.user(username);
    let login = json!({ "email": user.email, "password": user.password });
    let login = community.system().post("/v1/auth/login", &login).await;
    let login = login.expect(200);
    let jwt = login["body"]["token"].as_str().unwrap();
    secret::learn(secret::Kind::Credential, jwt);
    jwt.to_owned()
}

/// Whether a JWT is let in: at the gateway, and at messaging.
async fn let_in(community: &Community, jwt: &str) -> [bool; 2] {
    let path = "/api/chat/projects/{project}/chats/{chat}/messages";
    let path = community.parameters().fill(path);
    let answer = community.bearer(jwt).get(&path).await;
    assert!(matches!(answer.status, 200 | 401), "{answer:?}");
    let request = ListMessagesRequest {
        channel: community.demo.channel("general").to_owned(),
        page_size: 1,
        ..Default::default()
    };
    let mut messages = MessageServiceClient::new(community.services.clone());
    let request = signed(request, &format!("Bearer {jwt}"));
    let over_grpc = match messages.list_messages(request).await {
        Ok(_) => true,
        Err(status) => {
            assert_eq!(status.code(), Code::Unauthenticated, "{status:?}");
            false
        }
    };
    [answer.status == 200, over_grpc]
}

/// A JWT that has just been revoked is refused everywhere in time.
async fn ends_in_time(community: &Community, jwt: &str) {
    let revoked_at = Instant::now();
    while let_in(community, jwt).await != [false, false] {
        assert!(revoked_at.elapsed() < PROMISE, "it is still let in");
        sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn the_jwts_of_a_user_are_revoked() {
    let community = Community::start().await;
    let (slug, ada) = (community.slug(), community.demo.user("ada").clone());
    let grace = community.demo.user("grace").jwt.clone();
    for named in [&ada._id, &ada.email] {
        let stolen = log_in(&community, "ada").await;
        assert_eq!(let_in(&community, &stolen).await, [true, true]);
        let revoke = ["sessions", "revoke", "--user", named, "--community", &slug];
        let said = command(&community, &revoke).await;
        assert!(
            said.contains(&ada._id) && said.contains("within a second"),
            "{said}"
        );
        ends_in_time(&community, &stolen).await;
        // She logs in again, also in the same second.
        let new = log_in(&community, "ada").await;
        assert_eq!(let_in(&community, &new).await, [true, true]);
    }
    assert_eq!(let_in(&community, &grace).await, [true, true]);
    let nobody = ["sessions", "revoke", "--user", "nobody@example.com"];
    let nobody = [&nobody[..], &["--community", &slug]].concat();
    assert!(
        refused(&community, &nobody)
            .await
            .contains("User not found")
    );
}

#[tokio::test]
async fn a_signing_key_is_revoked_and_its_jwts_end() {
    let community = Community::alone().await;
    let kids = async || {
        let keys = community.rest.get("/.well-known/jwks.json").send().await;
        let keys = keys.expect(200)["keys"].as_array().unwrap().clone();
        let kids = keys
            .iter()
            .map(|key| key["kid"].as_str().unwrap().to_owned());
        kids.collect::<Vec<_>>()
    };
    let old = log_in(&community, "ada").await;
    command(&community, &["keys", "rotate"]).await;
    let new = log_in(&community, "ada").await;
    let both = kids().await;
    for jwt in [&old, &new] {
        assert_eq!(let_in(&community, jwt).await, [true, true]);
    }
    // Not by mistake.
    assert!(
        refused(&community, &["keys", "revoke", &both[1]])
            .await
            .contains("--now")
    );

    let said = command(&community, &["keys", "revoke", &both[1], "--now"]).await;
    assert!(
        said.contains(&both[0]) && said.contains("within a second"),
        "{said}"
    );
    ends_in_time(&community, &old).await;
    assert_eq!(let_in(&community, &new).await, [true, true]);
    let again = refused(&community, &["keys", "revoke", &both[1], "--now"]).await;
    assert!(again.contains("no signing key"), "{again}");

    // All of them: users log in again, with a key that is there at once.
    command(&community, &["keys", "revoke", "--now"]).await;
    ends_in_time(&community, &new).await;
    let newest = log_in(&community, "ada").await;
    assert_eq!(let_in(&community, &newest).await, [true, true]);
    let left = kids().await;
    assert!(left.len() == 1 && !both.contains(&left[0]), "{left:?}");

    // The only community needs no name.
    command(&community, &["sessions", "revoke", "--user", "ada"]).await;
    ends_in_time(&community, &newest).await;
    let second = ["--community", "Owls", "--owner-email", "owl@example.com"];
    command(&community, &[&["bootstrap"], &second[..]].concat()).await;
    let which = refused(&community, &["sessions", "revoke", "--user", "ada"]).await;
    assert!(which.contains("--community"), "{which}");
}
