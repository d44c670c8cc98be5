use guildhall_auth::credential::Scheme;
use guildhall_data::{CommunityId, UserId};
use guildhall_identity::NewMember;
use guildhall_proto::{
    access::v1::Role,
    identity::v1::{GetCommunityRequest, ResolveSessionRequest, ResolveUsersRequest},
};
use guildhall_runtime::{Error, Reason, Result};

use crate::fixture::{TestIdentity, by_username, member, reason, signed};

/// The references that found somebody, with whom.
async fn resolve(
    test: &TestIdentity,
    community: CommunityId,
    references: &[&str],
) -> Result<Vec<(String, String)>> {
    let references = references.iter().map(|&text| text.into()).collect();
    let request = ResolveUsersRequest {
        community_id: community.to_string(),
        references,
    };
    let answer = test
        .directory()
        .resolve_users(request)
        .await
        .map_err(Error::from)?;
    let users = answer.into_inner().users.into_iter();
    Ok(users
        .map(|found| (found.reference, found.user.unwrap().username))
        .collect())
}

fn found(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs
        .iter()
        .map(|&(reference, name)| (reference.into(), name.into()))
        .collect()
}

#[tokio::test]
async fn a_user_is_found_by_every_kind_of_reference() {
    let test = TestIdentity::new().await;
    let home = test.community("Demo").await;
    let (one, two) = (
        home.community_id,
        test.community("Other").await.community_id,
    );
    let add = |home, new| test.identity.add_member(home, new);
    let (ada, _) = add(one, member("Ada", Role::Member)).await.unwrap();
    let (eve, _) = add(two, member("eve", Role::Member)).await.unwrap();
    // Usernames that look like something else.
    for username in ["7", "0123456789abcdef01234567", "x@y"] {
        let email = format!("u{}@example.com", username.len());
        add(
            one,
            NewMember {
                username: username.into(),
                email,
                ..member("x", Role::Member)
            },
        )
        .await
        .unwrap();
    }
    let upper = ada.id.to_uppercase();
    let asked = [
        "aDA",
        "nobody",
        &ada.id,
        &upper,
        "2",
        "ADA@example.com",
        "aDA",
        "7",
        "0123456789ABCDEF01234567",
        "x@Y",
        &eve.id,
        "eve",
        "eve@example.com",
        "",
        "99999999999999999999",
    ];
    let expected = found(&[
        ("aDA", "Ada"),
        (&ada.id, "Ada"),
        (&upper, "Ada"),
        ("2", "Ada"),
        ("ADA@example.com", "Ada"),
        ("aDA", "Ada"),
        ("7", "7"),
        ("0123456789ABCDEF01234567", "0123456789abcdef01234567"),
        ("x@Y", "x@y"),
    ]);
    assert_eq!(resolve(&test, one, &asked).await.unwrap(), expected);

    // A number takes precedence over a username.
    add(one, member("seventh", Role::Member)).await.unwrap();
    add(one, member("eighth", Role::Member)).await.unwrap();
    assert_eq!(
        resolve(&test, one, &["7"]).await.unwrap(),
        found(&[("7", "eighth")])
    );
}

#[tokio::test]
async fn a_deleted_user_is_found_by_id_alone() {
    let test = TestIdentity::new().await;
    let home = test.community("Demo").await.community_id;
    let (ada, _) = test
        .identity
        .add_member(home, member("ada", Role::Member))
        .await
        .unwrap();
    let number = ada.number.to_string();
    let asked = [&*ada.id, "ada", "ada@example.com", &number];
    let of = |status| format!("UPDATE users SET status = {status} WHERE username = 'ada'");
    test.sql(&of(2)).await.unwrap();
    assert_eq!(
        resolve(&test, home, &asked).await.unwrap().len(),
        4,
        "suspended"
    );
    test.sql(&of(3)).await.unwrap();
    assert_eq!(
        resolve(&test, home, &asked).await.unwrap(),
        found(&[(&ada.id, "ada")])
    );
}

#[tokio::test]
async fn a_batch_is_bounded() {
    let test = TestIdentity::new().await;
    let home = test.community("Demo").await.community_id;
    let most = vec!["owner"; 500];
    assert_eq!(resolve(&test, home, &most).await.unwrap().len(), 500);
    let long = "a".repeat(321);
    for (references, expected) in [
        (vec!["owner"; 501], Reason::ValueTooLong),
        (vec![long.as_str()], Reason::ValueTooLong),
        (vec!["a\0"], Reason::InvalidValue),
    ] {
        assert_eq!(reason(resolve(&test, home, &references).await), expected);
    }
}

#[tokio::test]
async fn a_community_is_found_by_its_id_or_slug() {
    let test = TestIdentity::new().await;
    let made = test.community("Chess Club").await;
    for community in [
        made.community_id.to_string(),
        "chess-club".into(),
        "Chess-Club".into(),
    ] {
        let request = GetCommunityRequest { community };
        let answer = test
            .directory()
            .get_community(request)
            .await
            .unwrap()
            .into_inner();
        assert_eq!((&*answer.name, &*answer.slug), ("Chess Club", "chess-club"));
        assert_eq!(answer.id, made.community_id.to_string());
        assert_eq!(answer.owner.as_ref(), Some(&made.owner));
    }
    for community in [
        CommunityId::generate().to_string(),
        "Chess Club".into(),
        String::new(),
    ] {
        let answer = test
            .directory()
            .get_community(GetCommunityRequest { community })
            .await;
        assert_eq!(reason(answer), Reason::CommunityNotFound);
    }
}

#[tokio::test]
async fn the_bot_of_a_community_is_found_by_id_alone_and_cannot_log_in() {
    let test = TestIdentity::new().await;
    let made = test.community("Chess Club").await;
    let home = made.community_id;
    let get = |community: CommunityId| {
        let community = community.to_string();
        let mut directory = test.directory();
        async move {
            let answer = directory.get_community(GetCommunityRequest { community });
            answer.await.unwrap().into_inner().bot.unwrap()
        }
    };
    let bot = get(home).await;
    assert_eq!(bot, get(home).await);
    assert_ne!(
        bot.id,
        get(test.community("Other").await.community_id).await.id
    );
    assert!(bot.bot && bot.active);
    assert_eq!(
        (&*bot.display_name, &*bot.username),
        ("Chess Club", "chess-club")
    );
    assert_eq!((bot.number, &*bot.email, &*bot.avatar), (0, "", ""));

    let upper = bot.id.to_uppercase();
    let asked = [&*bot.id, &*upper, "0", "", "chess-club", "Chess Club"];
    let expected = found(&[(&bot.id, "chess-club"), (&upper, "chess-club")]);
    assert_eq!(resolve(&test, home, &asked).await.unwrap(), expected);
    let other = test.community("Third").await.community_id;
    assert_eq!(resolve(&test, other, &[&bot.id]).await.unwrap(), []);

    assert_eq!(test.count("users WHERE number = 0").await, 0);
    assert_eq!(made.owner.number, 1);
    for password in ["password", &made.owner_password] {
        let login = by_username("chess-club", password);
        let refused = test.login(&made.system_key, login).await;
        assert_eq!(reason(refused), Reason::LoginRefused);
    }
    let request = ResolveSessionRequest {
        community_id: home.to_string(),
        user_id: bot.id.clone(),
    };
    let session = test.credentials().resolve_session(request).await;
    assert_eq!(reason(session), Reason::UserNotFound);
    let key = format!("UPDATE api_keys SET user_id = '{}'", bot.id);
    assert!(test.sql(&key).await.is_err(), "a key of the bot");
}

#[tokio::test]
async fn the_directory_is_for_services_alone() {
    let test = TestIdentity::new().await;
    let made = test.community("Demo").await;
    let request = GetCommunityRequest {
        community: made.community_id.to_string(),
    };
    let request = signed(request, Scheme::SystemKey, &made.system_key);
    let answer = test.directory_from_outside().get_community(request).await;
    assert_eq!(reason(answer), Reason::InternalOnly);
}

#[tokio::test]
async fn a_session_is_that_of_an_active_user_of_the_community() {
    let test = TestIdentity::new().await;
    let (made, other) = (test.community("Demo").await, test.community("Other").await);
    let ask = |community: CommunityId, user_id: String| {
        let request = ResolveSessionRequest {
            community_id: community.to_string(),
            user_id,
        };
        let mut client = test.credentials();
        async move { client.resolve_session(request).await }
    };
    let session = ask(made.community_id, made.owner.id.clone())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(session.role(), Role::Owner);
    let foreign = ask(other.community_id, made.owner.id.clone()).await;
    assert_eq!(reason(foreign), Reason::UserNotFound);
    let unknown = ask(made.community_id, UserId::generate().to_string()).await;
    assert_eq!(reason(unknown), Reason::UserNotFound);
}
