//! What an operator does, beside a running platform and over its restarts.

use std::{fs, os::unix::fs::PermissionsExt, path::Path, process::Output, time::Duration};

use guildhall_testkit::Options;
use guildhall_tests::Community;
use serde_json::{Value, json};

fn text(output: &Output) -> String {
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    format!("{out}{err}")
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// The secrets of the demo community.
fn secrets(community: &Community) -> Vec<String> {
    let demo = &community.demo;
    let keys = [
        &demo.system_api_key,
        &demo.api_key,
        &demo.user_api_key,
        &demo.sendbird.api_token,
    ];
    let users = demo
        .users
        .iter()
        .flat_map(|user| [&user.password, &user.jwt]);
    keys.into_iter().chain(users).cloned().collect()
}

#[tokio::test]
async fn bootstrap_makes_a_community_beside_the_running_one() {
    let community = Community::alone().await;
    let made = community
        .platform
        .bootstrap("Night Owls", "owl@example.com")
        .await;
    assert_eq!(made.owner.id, 1);
    assert_eq!(made.owner.email, "owl@example.com");
    assert!(
        made.slug
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'),
        "{}",
        made.slug
    );
    for (key, length) in [
        (&made.system_api_key, 40),
        (&made.api_key, 64),
        (&made.user_api_key, 64),
    ] {
        assert!(
            key.len() == length && key.bytes().all(|b| b.is_ascii_hexdigit()),
            "{key}"
        );
    }
    // Each works at once, in the running process.
    let login = json!({ "email": "owl@example.com", "password": made.owner.password });
    let system = community.by(guildhall_tests::Credential::SystemKey(
        made.system_api_key.clone(),
    ));
    system.post("/v1/auth/login", &login).await.expect(200);
    for key in [&made.api_key, &made.user_api_key] {
        let channels = community.bearer(key).get("/v1/channels").await.expect(200);
        assert_eq!(channels["data"], json!([]));
    }
    // A second one of that name gets an address of its own, or is refused; it never is the first.
    let args = [
        "bootstrap",
        "--community",
        "Night Owls",
        "--owner-email",
        "owl@example.com",
    ];
    let again = community.platform.command(&args).await;
    if again.status.success() {
        let again: Value = serde_json::from_slice(&again.stdout).unwrap();
        assert_ne!(again["slug"], made.slug.as_str());
        assert_ne!(again["communityId"], made.community_id.as_str());
    } else {
        assert!(
            text(&again).contains("Night Owls") || text(&again).contains(&made.slug),
            "{}",
            text(&again)
        );
    }
    for bad in [
        [
            "bootstrap",
            "--community",
            "",
            "--owner-email",
            "a@example.com",
        ],
        [
            "bootstrap",
            "--community",
            "Good name",
            "--owner-email",
            "nonsense",
        ],
    ] {
        let refused = community.platform.command(&bad).await;
        assert!(!refused.status.success(), "{bad:?}: {}", text(&refused));
        assert!(refused.stdout.is_empty());
    }
}

#[tokio::test]
async fn the_files_with_secrets_are_the_operators_own() {
    let community = Community::alone().await;
    let data = community.platform.data_dir();
    assert_eq!(mode(&data), 0o700);
    for name in ["secret.key", "demo.json", "demo.curl"] {
        assert_eq!(mode(&data.join(name)), 0o600, "{name}");
    }
    let secret = fs::read_to_string(data.join("secret.key")).unwrap();
    let mut files: Vec<_> = fs::read_dir(&data)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.retain(|path| {
        path.is_file() && !path.ends_with("demo.json") && !path.ends_with("demo.curl")
    });
    assert!(files.len() >= 3, "{files:?}");
    for file in files {
        let bytes = fs::read(&file).unwrap();
        let holds = |secret: &str| {
            bytes
                .windows(secret.len())
                .any(|window| window == secret.as_bytes())
        };
        for secret in secrets(&community) {
            assert!(
                !holds(&secret),
                "{} holds a secret in clear text",
                file.display()
            );
        }
        assert!(
            file.ends_with("secret.key") || !holds(secret.trim()),
            "{}",
            file.display()
        );
    }
}

#[tokio::test]
async fn signing_keys_are_rotated_beside_the_running_platform() {
    let community = Community::alone().await;
    let kids = async || {
        let keys = community
            .rest
            .get("/.well-known/jwks.json")
            .send()
            .await
            .expect(200);
        let keys = keys["keys"].as_array().unwrap().clone();
        keys.into_iter()
            .map(|mut key| key["kid"].take())
            .collect::<Vec<_>>()
    };
    let old = kids().await;
    let rotated = community.platform.command(&["keys", "rotate"]).await;
    assert!(rotated.status.success(), "{}", text(&rotated));
    let both = kids().await;
    assert!(both.len() == 2 && both[1] == old[0], "{both:?}");
    assert!(text(&rotated).contains(both[0].as_str().unwrap()));

    let ada = community.demo.user("ada");
    let login = json!({ "email": ada.email, "password": ada.password });
    let login = community
        .system()
        .post("/v1/auth/login", &login)
        .await
        .expect(200);
    let new = login["body"]["token"].as_str().unwrap();
    let header = |jwt: &str| jwt.split('.').next().unwrap().to_owned();
    assert_ne!(header(new), header(&ada.jwt), "another kid");
    let path = community
        .parameters()
        .fill("/api/chat/projects/{project}/chats/{chat}/messages");
    for jwt in [new, &ada.jwt] {
        community.bearer(jwt).get(&path).await.expect(200);
    }
}

#[tokio::test]
async fn a_second_start_keeps_everything() {
    let community = Community::alone().await;
    let secret = fs::read(community.platform.data_dir().join("secret.key")).unwrap();
    let (before, demo) = (community.fingerprint().await, community.demo.clone());
    let platform = community.platform.embedded();
    let community = Community::around(platform.restart_with(Options::default()).await).await;
    assert_eq!(community.demo.system_api_key, demo.system_api_key);
    assert_eq!(community.demo.users[1].password, demo.users[1].password);
    assert_ne!(community.demo.base_url, "", "the new address");
    community.fingerprint().await.assert_is(&before);
    assert_eq!(
        fs::read(community.platform.data_dir().join("secret.key")).unwrap(),
        secret
    );
    // A token of the first life is valid in the second.
    let path = community
        .parameters()
        .fill("/api/chat/projects/{project}/chats/{chat}/messages");
    community
        .bearer(&demo.mudbase.jwt)
        .get(&path)
        .await
        .expect(200);

    let plain = Options {
        demo: false,
        ..Options::default()
    };
    let platform = community.platform.embedded();
    let community = Community::around(platform.restart_with(plain).await).await;
    community.fingerprint().await.assert_is(&before);
}

#[tokio::test]
async fn a_sendbird_token_is_made_and_revoked() {
    let community = Community::alone().await;
    let make = async |named: &str| {
        community
            .platform
            .command(&["sendbird-token", "create", "--community", named])
            .await
    };
    for named in [community.demo.community_id.as_str(), "demo"] {
        let made = make(named).await;
        let made: Value = serde_json::from_slice(&made.stdout).unwrap();
        let token = made["apiToken"].as_str().unwrap().to_owned();
        let visitor = community.by(guildhall_tests::Credential::SendbirdToken(token));
        let path = community
            .parameters()
            .fill("/v3/group_channels/{url}/messages/{number}");
        visitor.get(&path).await.expect(200);
        let id = made["id"].as_str().unwrap();
        let revoke = ["sendbird-token", "revoke", "--community", named, id];
        assert!(community.platform.command(&revoke).await.status.success());
        // The operator's process is another one: a second is all that the old answer may live.
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(visitor.get(&path).await.expect(400)["code"], 400_401);
        let again = community.platform.command(&revoke).await;
        assert!(!again.status.success(), "it is gone: {}", text(&again));
    }
    let unknown = make("nobodys").await;
    assert!(
        !unknown.status.success() && text(&unknown).contains("nobodys"),
        "{}",
        text(&unknown)
    );
}
