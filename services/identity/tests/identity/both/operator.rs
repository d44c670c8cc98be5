use std::fs;

use futures::future::join_all;
use guildhall_auth::{Authority, Permission, credential::Scheme};
use guildhall_data::{CommunityId, KeyId, UserId};
use guildhall_identity::{NewCommunity, NewMember};
use guildhall_proto::{access::v1::Role, identity::v1::CreateUserApiKeyRequest};
use guildhall_runtime::Reason;
use guildhall_testkit::TestDatabase;
use zeroize::Zeroizing;

use super::keys::spec;
use crate::fixture::{TestIdentity, by_email, digest, member, reason, signed, with_key};

#[tokio::test]
async fn a_community_begins_with_an_owner_and_credentials_that_work() {
    let test = TestIdentity::new().await;
    let made = test.community("Chess Club").await;
    assert_eq!((made.slug.as_str(), made.owner.number), ("chess-club", 1));
    assert_eq!(
        (&*made.owner.username, made.owner.role()),
        ("owner", Role::Owner)
    );
    let owner: UserId = made.owner.id.parse().unwrap();

    assert_eq!((made.system_key.len(), made.api_key.len()), (40, 64));
    let system = test
        .caller(Scheme::SystemKey, &made.system_key)
        .await
        .unwrap();
    assert_eq!(
        (system.community, system.user()),
        (made.community_id, owner)
    );
    let key = test.caller(Scheme::Bearer, &made.api_key).await.unwrap();
    assert!(key.has(Permission::Widgets) && !key.has(Permission::ReadOwnProfile));
    assert_eq!(key.acts_only_as(), None);
    let user_key = test
        .caller(Scheme::Bearer, &made.user_api_key)
        .await
        .unwrap();
    assert!(user_key.has(Permission::SendMessage) && !user_key.has(Permission::CreateUser));
    assert_eq!(user_key.acts_only_as(), Some(owner));
    let sendbird = test
        .authority(Scheme::SendbirdToken, &made.sendbird_token)
        .await;
    assert!(matches!(sendbird, Authority::SendbirdToken { maker, .. } if maker == owner));

    // A key works only as its own kind.
    assert!(test.is_refused(Scheme::Bearer, &made.system_key).await);
    assert!(test.is_refused(Scheme::SystemKey, &made.api_key).await);

    let request = by_email("OWNER@Chess-Club.example", &made.owner_password);
    let answer = test.login(&made.system_key, request).await.unwrap();
    assert_eq!(answer.user, Some(made.owner));
}

#[tokio::test]
async fn a_second_community_of_the_same_name_is_refused_and_leaves_no_rows() {
    let test = TestIdentity::new().await;
    let made = test.community("Demo").await;
    let again = NewCommunity {
        name: "DEMO".into(),
        owner_email: "else@example.com".into(),
    };
    assert_eq!(
        reason(test.identity.bootstrap(again).await.map(drop)),
        Reason::AlreadyExists
    );
    for (table, rows) in [("communities", 1), ("users", 1), ("api_keys", 4)] {
        assert_eq!(test.count(table).await, rows, "{table}");
    }
    let found = test.identity.find_community("demo").await.unwrap().unwrap();
    assert_eq!((found.id, found.name.as_str()), (made.community_id, "Demo"));
    let by_id = test
        .identity
        .find_community(&made.community_id.to_string())
        .await
        .unwrap();
    assert_eq!(by_id, Some(found));
    assert_eq!(test.identity.find_community("nowhere").await.unwrap(), None);
}

#[tokio::test]
async fn concurrent_members_are_numbered_without_gaps() {
    let test = TestIdentity::new().await;
    let home = test.community("Demo").await.community_id;
    let names: Vec<String> = (0..12).map(|n| format!("member{}", n % 10)).collect();
    let joined = names
        .iter()
        .map(|name| test.identity.add_member(home, member(name, Role::Member)));
    let (joined, refused): (Vec<_>, Vec<_>) =
        join_all(joined).await.into_iter().partition(Result::is_ok);
    // Two names were sent twice.
    assert_eq!(refused.len(), 2);
    assert!(
        refused
            .into_iter()
            .all(|answer| reason(answer) == Reason::AlreadyExists)
    );
    let mut numbers: Vec<i64> = joined
        .into_iter()
        .map(|answer| answer.unwrap().0.number)
        .collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (2..12).collect::<Vec<_>>());
}

#[tokio::test]
async fn names_are_unique_in_any_case_inside_their_community() {
    let test = TestIdentity::new().await;
    let (one, two) = (test.community("One").await, test.community("Two").await);
    let add = |home, new| test.identity.add_member(home, new);
    add(one.community_id, member("Ada", Role::Member))
        .await
        .unwrap();
    let other = |username: &str, email: &str| NewMember {
        username: username.into(),
        email: email.into(),
        ..member("x", Role::Member)
    };
    for taken in [
        other("aDA", "new@example.com"),
        other("new", "ADA@Example.com"),
    ] {
        assert_eq!(
            reason(add(one.community_id, taken).await),
            Reason::AlreadyExists
        );
    }
    let (user, _) = add(two.community_id, member("Ada", Role::Member))
        .await
        .unwrap();
    assert_eq!(user.number, 2, "each community counts for itself");
}

#[tokio::test]
async fn invalid_members_are_refused() {
    let test = TestIdentity::new().await;
    let home = test.community("Demo").await.community_id;
    let short = || Some(Zeroizing::new("short".to_owned()));
    for (new, expected) in [
        (member("", Role::Member), Reason::MissingField),
        (member("two words", Role::Member), Reason::InvalidValue),
        (member("nul\0", Role::Member), Reason::InvalidValue),
        (member("boss", Role::Owner), Reason::InvalidValue),
        (
            NewMember {
                email: "ada".into(),
                ..member("ada", Role::Member)
            },
            Reason::InvalidValue,
        ),
        (
            NewMember {
                password: short(),
                ..member("ada", Role::Member)
            },
            Reason::InvalidValue,
        ),
    ] {
        assert_eq!(reason(test.identity.add_member(home, new).await), expected);
    }
    let nowhere = test
        .identity
        .add_member(CommunityId::generate(), member("ada", Role::Member));
    assert_eq!(reason(nowhere.await), Reason::CommunityNotFound);
}

#[tokio::test]
async fn a_community_has_several_sendbird_tokens_and_one_system_key() {
    let test = TestIdentity::new().await;
    let (home, other) = (test.community("Demo").await, test.community("Other").await);
    let (first, token) = test
        .identity
        .create_sendbird_token(home.community_id)
        .await
        .unwrap();
    let (second, _) = test
        .identity
        .create_sendbird_token(home.community_id)
        .await
        .unwrap();
    assert_ne!(first, second);
    test.authority(Scheme::SendbirdToken, &token).await;

    let revoke = |community, id| test.identity.revoke_sendbird_token(community, id);
    assert_eq!(
        reason(revoke(other.community_id, first).await),
        Reason::KeyNotFound
    );
    let revoked = test.revoked_keys();
    revoke(home.community_id, first).await.unwrap();
    assert_eq!(revoked.received.try_recv(), Ok(digest(&token)));
    assert!(test.is_refused(Scheme::SendbirdToken, &token).await);
    assert_eq!(
        reason(revoke(home.community_id, first).await),
        Reason::KeyNotFound
    );

    let system = test.authority(Scheme::SystemKey, &home.system_key).await;
    let Authority::SystemKey { key, .. } = system else {
        panic!("{system:?}")
    };
    assert_eq!(
        reason(revoke(home.community_id, key).await),
        Reason::KeyNotFound
    );
    let copy = format!(
        "INSERT INTO api_keys SELECT community_id, '{}', kind, owner_id, name, 'digest', masked, \
         user_id, permissions, channel_ids, expire_period_days, expires_at, is_active, created_at, \
         deleted_at FROM api_keys WHERE id = '{key}'",
        KeyId::generate()
    );
    let refused = test.sql(&copy).await.unwrap_err().to_string();
    assert!(refused.to_lowercase().contains("unique"), "{refused}");
}

#[tokio::test]
async fn no_secret_is_stored_in_clear_text() {
    let files = TestDatabase::files();
    let test = TestIdentity::on(files).await;
    let made = test.community("Demo").await;
    let request = by_email(&made.owner.email, &made.owner_password);
    let request = signed(request, Scheme::SystemKey, &made.system_key);
    let jwt = test
        .login_as(with_key(request, "login"))
        .await
        .unwrap()
        .token;
    let request = CreateUserApiKeyRequest {
        spec: Some(spec("laptop", &["sendMessage"])),
    };
    let request = with_key(signed(request, Scheme::Bearer, &jwt), "key");
    let key = test
        .api_keys()
        .create_user_api_key(request)
        .await
        .unwrap()
        .into_inner()
        .key;
    let mistyped = by_email(&made.owner_password, "in the wrong field");
    assert_eq!(
        reason(test.login(&made.system_key, mistyped).await),
        Reason::LoginRefused
    );

    let TestDatabase::Files(directory) = &test.home else {
        panic!("{:?}", test.home)
    };
    let files = fs::read_dir(directory.path()).unwrap();
    let files: Vec<_> = files
        .map(|file| fs::read(file.unwrap().path()).unwrap())
        .collect();
    let holds = |part: &[u8]| files.iter().any(|file| contains(file, part));
    assert!(
        holds(made.owner.email.as_bytes()),
        "the search finds what is there"
    );
    for secret in [
        &*made.owner_password,
        &*made.system_key,
        &*made.api_key,
        &*made.user_api_key,
        &*made.sendbird_token,
        &jwt,
        &key,
    ] {
        assert!(!holds(secret.as_bytes()));
        assert!(!hex::decode(secret).is_ok_and(|raw| holds(&raw)));
    }
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}
