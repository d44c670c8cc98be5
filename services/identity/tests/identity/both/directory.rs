use guildhall_auth::credential::Scheme;
use guildhall_data::{CommunityId, UserId};
use guildhall_identity::NewMember;
use guildhall_proto::{
    access::v1::Role,
    identity::v1::{GetCommunityRequest, ResolveSessionRequest, ResolveUsersRequest},
};
use guildhall_runtime::{Error, Reason, Result};

use crate::fixture::{World, member, reason, signed};

/// The references that found somebody, with whom.
async fn resolve(
    world: &World,
    community: CommunityId,
    references: &[&str],
) -> Result<Vec<(String, String)>> {
    let references = references.iter().map(|&text| text.into()).collect();
    let request = ResolveUsersRequest {
        community_id: community.to_string(),
        references,
    };
    let answer = world
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
async fn a_user_is_found_by_whatever_names_him() {
    let world = World::new().await;
    let home = world.community("Demo").await;
    let (one, two) = (
        home.community_id,
        world.community("Other").await.community_id,
    );
    let add = |home, new| world.identity.add_member(home, new);
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
    assert_eq!(resolve(&world, one, &asked).await.unwrap(), expected);

    // A number goes before a username.
    add(one, member("seventh", Role::Member)).await.unwrap();
    add(one, member("eighth", Role::Member)).await.unwrap();
    assert_eq!(
        resolve(&world, one, &["7"]).await.unwrap(),
        found(&[("7", "eighth")])
    );
}

#[tokio::test]
async fn a_deleted_user_is_found_by_his_id_alone() {
    let world = World::new().await;
    let home = world.community("Demo").await.community_id;
    let (ada, _) = world
        .identity
        .add_member(home, member("ada", Role::Member))
        .await
        .unwrap();
    let number = ada.number.to_string();
    let asked = [&*ada.id, "ada", "ada@example.com", &number];
    let of = |status| format!("UPDATE users SET status = {status} WHERE username = 'ada'");
    world.sql(&of(2)).await.unwrap();
    assert_eq!(
        resolve(&world, home, &asked).await.unwrap().len(),
        4,
        "suspended"
    );
    world.sql(&of(3)).await.unwrap();
    assert_eq!(
        resolve(&world, home, &asked).await.unwrap(),
        found(&[(&ada.id, "ada")])
    );
}

#[tokio::test]
async fn a_batch_is_bounded() {
    let world = World::new().await;
    let home = world.community("Demo").await.community_id;
    let most = vec!["owner"; 500];
    assert_eq!(resolve(&world, home, &most).await.unwrap().len(), 500);
    let long = "a".repeat(321);
    for (references, expected) in [
        (vec!["owner"; 501], Reason::ValueTooLong),
        (vec![long.as_str()], Reason::ValueTooLong),
        (vec!["a\0"], Reason::InvalidValue),
    ] {
        assert_eq!(reason(resolve(&world, home, &references).await), expected);
    }
}

#[tokio::test]
async fn a_community_is_found_by_its_id_or_slug() {
    let world = World::new().await;
    let made = world.community("Chess Club").await;
    for community in [
        made.community_id.to_string(),
        "chess-club".into(),
        "Chess-Club".into(),
    ] {
        let request = GetCommunityRequest { community };
        let answer = world
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
        let answer = world
            .directory()
            .get_community(GetCommunityRequest { community })
            .await;
        assert_eq!(reason(answer), Reason::CommunityNotFound);
    }
}

#[tokio::test]
async fn the_directory_is_for_services_alone() {
    let world = World::new().await;
    let made = world.community("Demo").await;
    let request = GetCommunityRequest {
        community: made.community_id.to_string(),
    };
    let request = signed(request, Scheme::SystemKey, &made.system_key);
    let answer = world.directory_from_outside().get_community(request).await;
    assert_eq!(reason(answer), Reason::InternalOnly);
}

#[tokio::test]
async fn a_session_is_that_of_an_active_user_of_the_community() {
    let world = World::new().await;
    let (made, other) = (
        world.community("Demo").await,
        world.community("Other").await,
    );
    let ask = |community: CommunityId, user_id: String| {
        let request = ResolveSessionRequest {
            community_id: community.to_string(),
            user_id,
        };
        let mut client = world.credentials();
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
