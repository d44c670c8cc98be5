//! A JWT ends with its seven days. Nobody waits that long: the test signs one that is over, with
//! the platform's own key out of its database, since any other key would be refused anyway.

use std::{
    fs,
    time::{Duration, SystemTime},
};

use guildhall_auth::jwt::{self, Claims};
use guildhall_data::seal::{Place, Sealer};
use guildhall_runtime::Timestamp;
use guildhall_tests::{Community, Credential, Family, OPERATIONS, Refusal, operation::Kind};
use guildhall_webhooks::domain::workflow::Sessions;
use sea_orm::{ConnectOptions, ConnectionTrait, Database, DbBackend, Statement};
use serde_json::{Value, json};

/// The id and the private half of the key that the platform signs with.
async fn signing_key(community: &Community) -> (String, Vec<u8>) {
    let data = community.platform.data_dir();
    let secret = fs::read_to_string(data.join("secret.key")).unwrap();
    let sealer = Sealer::derive(&hex::decode(secret.trim()).unwrap(), b"jwt signing keys").unwrap();
    let url = format!("sqlite://{}?mode=ro", data.join("identity.db").display());
    let database = Database::connect(ConnectOptions::new(url)).await.unwrap();
    let query = "SELECT key_id, sealed_private_key FROM signing_keys WHERE retired_at IS NULL";
    let row = Statement::from_string(DbBackend::Sqlite, query);
    let row = database.query_one_raw(row).await.unwrap().unwrap();
    let sealed: Vec<u8> = row.try_get("", "sealed_private_key").unwrap();
    let key_id: String = row.try_get("", "key_id").unwrap();
    let place = Place::of_platform("signing_keys.sealed_private_key", [key_id.clone()]);
    let private = sealer.open(&sealed, &place).unwrap().to_vec();
    (key_id, private)
}

#[tokio::test]
async fn a_token_ends_with_its_seven_days() {
    let community = Community::with_all_records().await;
    let (key_id, private) = signing_key(&community).await;
    let user = &community.demo.users[0];
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap();
    let now = i64::try_from(now.as_secs()).unwrap();
    let token = |exp: i64| {
        let claims = Claims {
            _id: user._id.clone(),
            id: user.id.to_string(),
            community_id: community.demo.community_id.clone(),
            iat: exp - 604_800,
            exp,
            session: None,
        };
        Credential::Bearer(jwt::sign(&claims, &key_id, &private).unwrap())
    };
    let in_time = OPERATIONS
        .iter()
        .filter(|operation| operation.kinds.contains(&Kind::Jwt));
    let mut checked = 0;
    for operation in in_time {
        let good = community.call(operation, &token(now + 60)).await;
        let right = good.status == operation.success;
        assert!(right, "{}: {}", operation.id, good.body);
        for over in [now, now - 1, now - 604_800] {
            let answer = community.call(operation, &token(over)).await;
            operation.family.refuses(&answer, Refusal::Unauthenticated);
        }
        checked += 1;
    }
    assert!(checked >= 4);
}

#[tokio::test]
async fn a_token_that_names_another_community_or_nobody_is_refused() {
    let community = Community::start().await;
    let (key_id, private) = signing_key(&community).await;
    let theirs = community.another("neighbours").await;
    let good: Claims = {
        let payload = community
            .demo
            .mudbase
            .jwt
            .split('.')
            .nth(1)
            .unwrap()
            .to_owned();
        let claims = base64_of(&payload);
        serde_json::from_slice(&claims).unwrap()
    };
    assert_eq!(good.exp - good.iat, 604_800, "exactly seven days");
    assert_eq!(
        (good._id.as_str(), good.id.as_str()),
        (community.demo.users[0]._id.as_str(), "1")
    );
    let unknown = "0123456789abcdef01234567".to_owned();
    let strangers = [
        Claims {
            community_id: theirs.community.community_id.clone(),
            ..good.clone()
        },
        Claims {
            community_id: unknown.clone(),
            ..good.clone()
        },
        Claims {
            _id: theirs.community.owner._id.clone(),
            ..good.clone()
        },
        Claims {
            _id: unknown,
            ..good.clone()
        },
        Claims {
            _id: "johndoe".into(),
            ..good
        },
    ];
    let path = community
        .parameters()
        .fill("/api/chat/projects/{project}/chats/{chat}/messages");
    for claims in strangers {
        let token = jwt::sign(&claims, &key_id, &private).unwrap();
        let answer = community.bearer(&token).get(&path).await;
        Family::Mudbase.refuses(&answer, Refusal::Unauthenticated);
    }
}

#[tokio::test]
async fn a_session_with_a_workflow_ends_with_its_five_minutes() {
    let community = Community::start().await;
    let made = [
        "workflow",
        "create",
        "--community",
        &community.slug(),
        "--name",
        "Broker",
    ];
    let made = community.platform.command(&made).await;
    let made: Value = serde_json::from_slice(&made.stdout).unwrap();
    let (id, path) = (made["id"].as_str().unwrap(), made["path"].as_str().unwrap());
    let handshake = community.rest.post(&format!("{path}/handshake"));
    let key = made["apiKey"].as_str().unwrap();
    let before = Timestamp::now();
    let token = handshake.header("x-api-key", key).send().await.expect(200);
    let (expiry, _) = token["sessionToken"]
        .as_str()
        .unwrap()
        .split_once('.')
        .unwrap();
    let life = expiry.parse::<i64>().unwrap() - before.as_millis();
    assert!((300_000..310_000).contains(&life), "{life}");

    let secret = fs::read_to_string(community.platform.data_dir().join("secret.key")).unwrap();
    let sessions = Sessions::derive(&hex::decode(secret.trim()).unwrap());
    let tell = async |expires_at: Timestamp| {
        let token = sessions.issue(id.parse().unwrap(), expires_at);
        let call = community.rest.post(path).header("x-session-token", &token);
        call.json(&json!({ "eventType": "user.registered" }))
            .send()
            .await
    };
    let now = Timestamp::now();
    tell(now.plus(Duration::from_secs(60))).await.expect(200);
    for over in [now, now.minus(Duration::from_secs(1))] {
        Family::E1.refuses(&tell(over).await, Refusal::Unauthenticated);
    }
}

fn base64_of(text: &str) -> Vec<u8> {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    URL_SAFE_NO_PAD.decode(text).unwrap()
}
