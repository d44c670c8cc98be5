//! Names in every spelling: how they are found, and that they are taken.

use guildhall_data::CommunityId;
use guildhall_identity::{NewCommunity, NewMember};
use guildhall_proto::{
    access::v1::Role,
    identity::v1::{GetCommunityRequest, ResolveUsersRequest},
};
use guildhall_runtime::{Error, Reason};

use crate::fixture::{TestIdentity, by_email, by_username, member, reason};

fn named(username: &str, email: &str) -> NewMember {
    NewMember {
        username: username.into(),
        email: email.into(),
        ..member("x", Role::Member)
    }
}

/// The usernames of those whom references find.
async fn resolve(test: &TestIdentity, community: CommunityId, references: &[&str]) -> Vec<String> {
    let request = ResolveUsersRequest {
        community_id: community.to_string(),
        references: references.iter().map(|&text| text.into()).collect(),
    };
    let answer = test.directory().resolve_users(request).await.unwrap();
    let found = answer.into_inner().users.into_iter();
    found.map(|found| found.user.unwrap().username).collect()
}

#[tokio::test]
async fn a_user_is_found_in_every_spelling_and_shown_in_their_own() {
    let test = TestIdentity::new().await;
    let home = test.community("Demo").await;
    let zoe = named("Zo\u{eb}", "jos\u{e9}@example.com");
    let (zoe, password) = test
        .identity
        .add_member(home.community_id, zoe)
        .await
        .unwrap();
    let spellings = [
        "Zo\u{eb}",
        "ZOE\u{308}",
        "zo\u{200b}\u{eb}",
        "JOSE\u{301}@example.com",
    ];
    for request in [
        by_username(spellings[1], &password),
        by_username(spellings[2], &password),
        by_email(spellings[3], &password),
    ] {
        let answer = test.login(&home.system_key, request).await.unwrap();
        assert_eq!(answer.user.unwrap().id, zoe.id);
    }
    let found = resolve(&test, home.community_id, &spellings).await;
    assert_eq!(found, vec![zoe.username; spellings.len()]);
}

#[tokio::test]
async fn what_looks_the_same_is_taken() {
    let test = TestIdentity::new().await;
    let home = test.community("Zu\u{308}rich").await;
    assert_eq!(home.slug, "z\u{fc}rich");
    let add = |username, email| {
        test.identity
            .add_member(home.community_id, named(username, email))
    };
    add("ada", "jos\u{e9}@example.com").await.unwrap();
    for (username, email) in [
        ("ad\u{200b}a", "b@example.com"),
        ("\u{ff41}da", "c@example.com"),
        ("d", "Jose\u{301}@example.com"),
    ] {
        let taken = add(username, email).await;
        assert_eq!(
            reason(taken.map(drop)),
            Reason::AlreadyExists,
            "{username:?}"
        );
    }
    let again = NewCommunity {
        name: "Z\u{dc}RICH".into(),
        owner_email: "o@example.com".into(),
    };
    assert_eq!(
        reason(test.identity.bootstrap(again).await.map(drop)),
        Reason::AlreadyExists
    );
    let found = test.identity.find_community("ZU\u{308}RICH").await.unwrap();
    assert_eq!(found.unwrap().id, home.community_id);
}

#[tokio::test]
async fn what_cannot_be_seen_is_no_name() {
    let test = TestIdentity::new().await;
    let home = test.community("Demo").await.community_id;
    for blank in [
        "\u{200b}",
        "\u{2060}\u{feff}",
        "\u{3164}",
        "\u{2800}",
        "\u{fe0f}",
    ] {
        let new = named(blank, "b@example.com");
        let refused = test.identity.add_member(home, new).await.map(drop);
        assert_eq!(reason(refused), Reason::MissingField, "{blank:?}");
        let new = NewCommunity {
            name: blank.into(),
            owner_email: "o@example.com".into(),
        };
        let refused = test.identity.bootstrap(new).await.map(drop);
        assert_eq!(reason(refused), Reason::MissingField, "{blank:?}");
    }
    let unnamed = NewMember {
        display_name: "\u{200b}".into(),
        ..member("ada", Role::Member)
    };
    let (ada, _) = test.identity.add_member(home, unnamed).await.unwrap();
    assert_eq!(ada.display_name, "ada");
}

#[tokio::test]
async fn no_community_has_a_nul_in_its_slug() {
    let test = TestIdentity::new().await;
    for community in ["\0", "de\0mo"] {
        let request = GetCommunityRequest {
            community: community.into(),
        };
        let refused = test.directory().get_community(request).await;
        let reason = Error::from(refused.unwrap_err()).reason();
        assert_eq!(reason, Reason::CommunityNotFound);
    }
}

#[tokio::test]
async fn keys_of_the_version_before_are_folded_unless_another_has_them() {
    let test = TestIdentity::new().await;
    let home = test.community("Stra\u{df}e").await;
    let add = |username, email| {
        test.identity
            .add_member(home.community_id, named(username, email))
    };
    let (zoe, password) = add("ZOE\u{308}", "JOSE\u{301}@example.com").await.unwrap();
    add("ada", "a@example.com").await.unwrap();
    let (eve, eves) = add("eve", "e@example.com").await.unwrap();
    // As it was: lower case alone. The third was told apart from the second.
    for change in [
        format!(
            "UPDATE users SET username_key = 'zoe\u{308}', email_key = 'jose\u{301}@example.com' \
             WHERE id = '{}'",
            zoe.id
        ),
        format!(
            "UPDATE users SET username = 'Ad\u{200b}a', username_key = 'ad\u{200b}a' WHERE id = '{}'",
            eve.id
        ),
        "UPDATE communities SET slug = 'stra\u{df}e'".to_owned(),
        "DELETE FROM seaql_migrations WHERE version = 'm0007_fold_names'".to_owned(),
    ] {
        assert_eq!(test.sql(&change).await.unwrap(), 1, "{change}");
    }
    // Until the migration, what was written as before is found as it was written.
    assert_eq!(
        resolve(&test, home.community_id, &["Zoe\u{308}"]).await,
        ["ZOE\u{308}"]
    );
    assert!(
        resolve(&test, home.community_id, &["zo\u{eb}"])
            .await
            .is_empty()
    );
    drop(test.open_again().await);

    for request in [
        by_username("Zo\u{eb}", &password),
        by_email("jos\u{e9}@example.com", &password),
        by_username("AD\u{200b}A", &eves),
    ] {
        test.login(&home.system_key, request).await.unwrap();
    }
    let found = resolve(
        &test,
        home.community_id,
        &["Ada", "ad\u{200b}a", "a\u{200b}da"],
    )
    .await;
    assert_eq!(found, ["ada", "Ad\u{200b}a", "ada"]);
    for slug in ["strasse", "STRA\u{1e9e}E"] {
        let found = test.identity.find_community(slug).await.unwrap().unwrap();
        assert_eq!((found.id, &*found.slug), (home.community_id, "strasse"));
    }
    // It is done once, and running it again changes nothing.
    let undone = "DELETE FROM seaql_migrations WHERE version = 'm0007_fold_names'";
    test.sql(undone).await.unwrap();
    drop(test.open_again().await);
    let kept = "users WHERE username_key = 'ad\u{200b}a'";
    assert_eq!(test.count(kept).await, 1);
}
