use futures::future::join_all;
use guildhall_auth::{Authority, ChannelLimit, Permission, credential::Scheme};
use guildhall_data::{ChannelId, KeyId};
use guildhall_proto::{
    access::v1::{CredentialKind, Role},
    identity::v1::{
        ApiKey, ApiKeySpec, CreateCommunityApiKeyRequest, CreateUserApiKeyRequest,
        DeleteApiKeyRequest, GetCurrentApiKeyRequest, ResolveKeyRequest,
    },
};
use guildhall_runtime::{Error, Reason, Result};

use crate::fixture::{World, digest, reason, signed, with_key};

pub fn spec(name: &str, permissions: &[&str]) -> ApiKeySpec {
    let permissions = permissions.iter().map(|&name| name.into()).collect();
    ApiKeySpec {
        name: name.into(),
        permissions,
        ..ApiKeySpec::default()
    }
}

async fn community_key(world: &World, jwt: &str, spec: ApiKeySpec) -> Result<(ApiKey, String)> {
    let request = CreateCommunityApiKeyRequest { spec: Some(spec) };
    let request = signed(request, Scheme::Bearer, jwt);
    let answer = world
        .api_keys()
        .create_community_api_key(request)
        .await?
        .into_inner();
    Ok((answer.api_key.unwrap(), answer.key))
}

async fn user_key(world: &World, jwt: &str, spec: ApiKeySpec) -> Result<(ApiKey, String)> {
    let request = CreateUserApiKeyRequest { spec: Some(spec) };
    let request = signed(request, Scheme::Bearer, jwt);
    let answer = world
        .api_keys()
        .create_user_api_key(request)
        .await?
        .into_inner();
    Ok((answer.api_key.unwrap(), answer.key))
}

async fn delete(world: &World, jwt: &str, id: &str) -> Result<ApiKey> {
    let request = signed(DeleteApiKeyRequest { id: id.into() }, Scheme::Bearer, jwt);
    let answer = world.api_keys().delete_api_key(request).await;
    answer
        .map(|answer| answer.into_inner().api_key.unwrap())
        .map_err(Error::from)
}

async fn current(world: &World, key: &str) -> Result<ApiKey> {
    let request = signed(GetCurrentApiKeyRequest {}, Scheme::Bearer, key);
    let answer = world.api_keys().get_current_api_key(request).await?;
    Ok(answer.into_inner().api_key.unwrap())
}

#[tokio::test]
async fn an_admin_makes_a_key_of_the_community_uses_it_and_revokes_it_at_once() {
    let world = World::new().await;
    let home = world.community("Demo").await;
    let (ada, jwt) = world.member(&home, "ada", Role::Admin).await;
    let wanted = spec("Slack", &["sendMessages", "createUser"]);
    let (made, text) = community_key(&world, &jwt, wanted).await.unwrap();
    assert_eq!(text.len(), 64);
    assert_eq!(made.masked_key, format!("{}…{}", &text[..4], &text[60..]));
    assert_eq!(
        made.permissions,
        ["sendMessages", "createUser"],
        "aliases stay as sent"
    );
    assert_eq!(
        (made.kind(), &*made.user_id),
        (CredentialKind::CommunityKey, "")
    );
    assert_eq!(
        (made.active, made.expire_period_days, made.expire_time),
        (true, 0, None)
    );
    assert_eq!(current(&world, &text).await.unwrap(), made);

    let caller = world.caller(Scheme::Bearer, &text).await.unwrap();
    assert!(caller.has(Permission::SendMessage) && !caller.has(Permission::Store));
    assert_eq!(caller.user().to_string(), ada.id);

    let revoked = world.revoked_keys();
    assert_eq!(delete(&world, &jwt, &made.id).await.unwrap(), made);
    assert_eq!(revoked.heard.try_recv(), Ok(digest(&text)));
    assert!(world.is_refused(Scheme::Bearer, &text).await);
    assert_eq!(
        reason(delete(&world, &jwt, &made.id).await),
        Reason::KeyNotFound
    );
}

#[tokio::test]
async fn a_member_makes_keys_for_himself_alone() {
    let world = World::new().await;
    let home = world.community("Demo").await;
    let (bob, jwt) = world.member(&home, "bob", Role::Member).await;
    let refused = community_key(&world, &jwt, spec("Slack", &["sendMessage"])).await;
    assert_eq!(reason(refused), Reason::RoleMissing);
    let refused = user_key(&world, &jwt, spec("Slack", &["createUser"])).await;
    assert_eq!(reason(refused), Reason::InvalidValue);

    let channel = ChannelId::generate();
    let mut wanted = spec("Slack", &["readOwnProfile", "sendMessage"]);
    wanted.channel_ids = vec![channel.to_string()];
    wanted.expire_period_days = 180;
    let (made, text) = user_key(&world, &jwt, wanted).await.unwrap();
    assert_eq!(
        (made.kind(), &made.user_id),
        (CredentialKind::UserKey, &bob.id)
    );
    let caller = world.caller(Scheme::Bearer, &text).await.unwrap();
    let Authority::UserKey {
        owner, channels, ..
    } = &caller.authority
    else {
        panic!("{caller:?}")
    };
    assert_eq!(owner.to_string(), bob.id);
    assert!(channels.allows(channel) && !channels.allows(ChannelId::generate()));
    assert_ne!(*channels, ChannelLimit::Any);
    let life = caller.expires_at.unwrap().as_secs() - made.create_time.unwrap().seconds;
    assert!(
        (180 * 86_400 - 1..=180 * 86_400 + 1).contains(&life),
        "{life}"
    );
}

#[tokio::test]
async fn a_key_is_revoked_by_its_owner_or_an_admin_and_not_found_by_all_others() {
    let world = World::new().await;
    let (home, other) = (
        world.community("Demo").await,
        world.community("Other").await,
    );
    let (_, ada) = world.member(&home, "ada", Role::Admin).await;
    let (_, eve) = world.member(&home, "eve", Role::Admin).await;
    let (_, bob) = world.member(&home, "bob", Role::Member).await;
    let (_, foreign) = world.member(&other, "ada", Role::Admin).await;
    let (of_home, _) = community_key(&world, &ada, spec("one", &["store"]))
        .await
        .unwrap();
    let (of_bob, _) = user_key(&world, &bob, spec("one", &["sendMessage"]))
        .await
        .unwrap();
    let system = world
        .caller(Scheme::SystemKey, &home.system_key)
        .await
        .unwrap();
    let system = system.key().unwrap().to_string();
    for (jwt, id) in [
        (&foreign, &of_home.id),
        (&foreign, &of_bob.id),
        (&bob, &of_home.id),
        (&ada, &of_bob.id),
        (&ada, &system),
        (&ada, &KeyId::generate().to_string()),
    ] {
        let error = delete(&world, jwt, id).await.unwrap_err();
        assert_eq!(
            (error.reason(), error.message()),
            (Reason::KeyNotFound, "API key not found.")
        );
    }
    assert_eq!(
        reason(delete(&world, &ada, "one").await),
        Reason::MalformedId
    );
    delete(&world, &eve, &of_home.id).await.unwrap();
    delete(&world, &bob, &of_bob.id).await.unwrap();
}

#[tokio::test]
async fn a_name_is_unique_among_the_live_keys_of_its_owner() {
    let world = World::new().await;
    let home = world.community("Demo").await;
    let (_, ada) = world.member(&home, "ada", Role::Admin).await;
    let (_, eve) = world.member(&home, "eve", Role::Admin).await;
    let wanted = || spec("one", &["sendMessage"]);
    let (first, _) = community_key(&world, &ada, wanted()).await.unwrap();
    // The owner of community keys is the community, whoever makes them.
    assert_eq!(
        reason(community_key(&world, &eve, wanted()).await),
        Reason::AlreadyExists
    );
    user_key(&world, &ada, wanted()).await.unwrap();
    user_key(&world, &eve, wanted()).await.unwrap();
    assert_eq!(
        reason(user_key(&world, &eve, wanted()).await),
        Reason::AlreadyExists
    );
    delete(&world, &ada, &first.id).await.unwrap();
    community_key(&world, &eve, wanted()).await.unwrap();
}

#[tokio::test]
async fn an_owner_has_a_hundred_keys_at_most() {
    let world = World::new().await;
    let home = world.community("Demo").await;
    let (_, ada) = world.member(&home, "ada", Role::Admin).await;
    let wanted = |n: usize| spec(&format!("key {n}"), &["sendMessage"]);
    let made = join_all((0..100).map(|n| user_key(&world, &ada, wanted(n)))).await;
    assert!(made.iter().all(Result::is_ok));
    assert_eq!(
        reason(user_key(&world, &ada, wanted(100)).await),
        Reason::WrongState
    );
    community_key(&world, &ada, wanted(100)).await.unwrap();
}

#[tokio::test]
async fn a_key_is_of_no_use_once_expired_or_switched_off_or_its_user_is_gone() {
    let world = World::new().await;
    let home = world.community("Demo").await;
    let (bob, jwt) = world.member(&home, "bob", Role::Member).await;
    let (_, text) = user_key(&world, &jwt, spec("one", &["sendMessage"]))
        .await
        .unwrap();
    let of_bob = format!("user_id = '{}'", bob.id);
    for (dead, alive) in [
        (
            "api_keys SET expires_at = 1",
            "api_keys SET expires_at = NULL",
        ),
        (
            "api_keys SET is_active = FALSE",
            "api_keys SET is_active = TRUE",
        ),
    ] {
        assert_eq!(
            world
                .sql(&format!("UPDATE {dead} WHERE {of_bob}"))
                .await
                .unwrap(),
            1
        );
        assert!(world.is_refused(Scheme::Bearer, &text).await, "{dead}");
        assert_eq!(
            world
                .sql(&format!("UPDATE {alive} WHERE {of_bob}"))
                .await
                .unwrap(),
            1
        );
        world.authority(Scheme::Bearer, &text).await;
    }
    for status in [2, 3] {
        world
            .sql(&format!(
                "UPDATE users SET status = {status} WHERE id = '{}'",
                bob.id
            ))
            .await
            .unwrap();
        assert!(
            world.is_refused(Scheme::Bearer, &text).await,
            "status {status}"
        );
    }
    // The same for who asks over gRPC.
    let asked = |key: &str| ResolveKeyRequest {
        digest: digest(key).to_vec(),
    };
    let dead = world.credentials().resolve_key(asked(&text)).await;
    assert_eq!(reason(dead), Reason::KeyNotFound);
    let live = world
        .credentials()
        .resolve_key(asked(&home.api_key))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(live.kind(), CredentialKind::CommunityKey);
    let short = world
        .credentials()
        .resolve_key(ResolveKeyRequest { digest: vec![1] })
        .await;
    assert_eq!(reason(short), Reason::InvalidValue);
}

#[tokio::test]
async fn a_key_is_made_once_under_an_idempotency_key() {
    let world = World::new().await;
    let home = world.community("Demo").await;
    let (_, jwt) = world.member(&home, "ada", Role::Admin).await;
    let create = |name: &str| {
        let request = CreateUserApiKeyRequest {
            spec: Some(spec(name, &["sendMessage"])),
        };
        let request = with_key(signed(request, Scheme::Bearer, &jwt), "once");
        let mut client = world.api_keys();
        async move { client.create_user_api_key(request).await }
    };
    let first = create("one").await.unwrap().into_inner();
    let again = create("one").await.unwrap();
    assert_eq!(again.metadata().get("idempotent-replayed").unwrap(), "true");
    assert_eq!(again.into_inner(), first, "the text as well");
    assert_eq!(reason(create("two").await), Reason::IdempotencyMismatch);
}
