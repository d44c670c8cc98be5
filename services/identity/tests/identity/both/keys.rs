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

use crate::fixture::{TestIdentity, digest, reason, signed, with_key};

pub fn spec(name: &str, permissions: &[&str]) -> ApiKeySpec {
    let permissions = permissions.iter().map(|&name| name.into()).collect();
    ApiKeySpec {
        name: name.into(),
        permissions,
        ..ApiKeySpec::default()
    }
}

async fn community_key(
    test: &TestIdentity,
    jwt: &str,
    spec: ApiKeySpec,
) -> Result<(ApiKey, String)> {
    let request = CreateCommunityApiKeyRequest { spec: Some(spec) };
    let request = signed(request, Scheme::Bearer, jwt);
    let answer = test
        .api_keys()
        .create_community_api_key(request)
        .await?
        .into_inner();
    Ok((answer.api_key.unwrap(), answer.key))
}

async fn user_key(test: &TestIdentity, jwt: &str, spec: ApiKeySpec) -> Result<(ApiKey, String)> {
    let request = CreateUserApiKeyRequest { spec: Some(spec) };
    let request = signed(request, Scheme::Bearer, jwt);
    let answer = test
        .api_keys()
        .create_user_api_key(request)
        .await?
        .into_inner();
    Ok((answer.api_key.unwrap(), answer.key))
}

async fn delete(test: &TestIdentity, jwt: &str, id: &str) -> Result<ApiKey> {
    let request = signed(DeleteApiKeyRequest { id: id.into() }, Scheme::Bearer, jwt);
    let answer = test.api_keys().delete_api_key(request).await;
    answer
        .map(|answer| answer.into_inner().api_key.unwrap())
        .map_err(Error::from)
}

async fn current(test: &TestIdentity, key: &str) -> Result<ApiKey> {
    let request = signed(GetCurrentApiKeyRequest {}, Scheme::Bearer, key);
    let answer = test.api_keys().get_current_api_key(request).await?;
    Ok(answer.into_inner().api_key.unwrap())
}

#[tokio::test]
async fn an_admin_creates_a_community_key_which_is_refused_as_soon_as_it_is_deleted() {
    let test = TestIdentity::new().await;
    let home = test.community("Demo").await;
    let (ada, jwt) = test.member(&home, "ada", Role::Admin).await;
    let wanted = spec("Slack", &["sendMessages", "createUser"]);
    let (made, text) = community_key(&test, &jwt, wanted).await.unwrap();
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
    assert_eq!(current(&test, &text).await.unwrap(), made);

    let caller = test.caller(Scheme::Bearer, &text).await.unwrap();
    assert!(caller.has(Permission::SendMessage) && !caller.has(Permission::Store));
    assert_eq!(caller.user().to_string(), ada.id);

    let revoked = test.revoked_keys();
    assert_eq!(delete(&test, &jwt, &made.id).await.unwrap(), made);
    assert_eq!(revoked.received.try_recv(), Ok(digest(&text)));
    assert!(test.is_refused(Scheme::Bearer, &text).await);
    assert_eq!(
        reason(delete(&test, &jwt, &made.id).await),
        Reason::KeyNotFound
    );
}

#[tokio::test]
async fn a_member_creates_keys_only_for_themselves() {
    let test = TestIdentity::new().await;
    let home = test.community("Demo").await;
    let (bob, jwt) = test.member(&home, "bob", Role::Member).await;
    let refused = community_key(&test, &jwt, spec("Slack", &["sendMessage"])).await;
    assert_eq!(reason(refused), Reason::RoleMissing);
    let refused = user_key(&test, &jwt, spec("Slack", &["createUser"])).await;
    assert_eq!(reason(refused), Reason::InvalidValue);

    let channel = ChannelId::generate();
    let mut wanted = spec("Slack", &["readOwnProfile", "sendMessage"]);
    wanted.channel_ids = vec![channel.to_string()];
    wanted.expire_period_days = 180;
    let (made, text) = user_key(&test, &jwt, wanted).await.unwrap();
    assert_eq!(
        (made.kind(), &made.user_id),
        (CredentialKind::UserKey, &bob.id)
    );
    let caller = test.caller(Scheme::Bearer, &text).await.unwrap();
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
    let test = TestIdentity::new().await;
    let (home, other) = (test.community("Demo").await, test.community("Other").await);
    let (_, ada) = test.member(&home, "ada", Role::Admin).await;
    let (_, eve) = test.member(&home, "eve", Role::Admin).await;
    let (_, bob) = test.member(&home, "bob", Role::Member).await;
    let (_, foreign) = test.member(&other, "ada", Role::Admin).await;
    let (of_home, _) = community_key(&test, &ada, spec("one", &["store"]))
        .await
        .unwrap();
    let (of_bob, _) = user_key(&test, &bob, spec("one", &["sendMessage"]))
        .await
        .unwrap();
    let system = test
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
        let error = delete(&test, jwt, id).await.unwrap_err();
        assert_eq!(
            (error.reason(), error.message()),
            (Reason::KeyNotFound, "API key not found.")
        );
    }
    assert_eq!(
        reason(delete(&test, &ada, "one").await),
        Reason::MalformedId
    );
    delete(&test, &eve, &of_home.id).await.unwrap();
    delete(&test, &bob, &of_bob.id).await.unwrap();
}

#[tokio::test]
async fn a_name_is_unique_among_the_live_keys_of_its_owner() {
    let test = TestIdentity::new().await;
    let home = test.community("Demo").await;
    let (_, ada) = test.member(&home, "ada", Role::Admin).await;
    let (_, eve) = test.member(&home, "eve", Role::Admin).await;
    let wanted = || spec("one", &["sendMessage"]);
    let (first, _) = community_key(&test, &ada, wanted()).await.unwrap();
    // The owner of community keys is the community, whoever creates them.
    assert_eq!(
        reason(community_key(&test, &eve, wanted()).await),
        Reason::AlreadyExists
    );
    user_key(&test, &ada, wanted()).await.unwrap();
    user_key(&test, &eve, wanted()).await.unwrap();
    assert_eq!(
        reason(user_key(&test, &eve, wanted()).await),
        Reason::AlreadyExists
    );
    delete(&test, &ada, &first.id).await.unwrap();
    community_key(&test, &eve, wanted()).await.unwrap();
}

#[tokio::test]
async fn an_owner_has_a_hundred_keys_at_most() {
    let test = TestIdentity::new().await;
    let home = test.community("Demo").await;
    let (_, ada) = test.member(&home, "ada", Role::Admin).await;
    let wanted = |n: usize| spec(&format!("key {n}"), &["sendMessage"]);
    let made = join_all((0..100).map(|n| user_key(&test, &ada, wanted(n)))).await;
    assert!(made.iter().all(Result::is_ok));
    assert_eq!(
        reason(user_key(&test, &ada, wanted(100)).await),
        Reason::WrongState
    );
    community_key(&test, &ada, wanted(100)).await.unwrap();
}

#[tokio::test]
async fn an_expired_or_inactive_key_or_one_of_an_inactive_user_is_refused() {
    let test = TestIdentity::new().await;
    let home = test.community("Demo").await;
    let (bob, jwt) = test.member(&home, "bob", Role::Member).await;
    let (_, text) = user_key(&test, &jwt, spec("one", &["sendMessage"]))
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
            test.sql(&format!("UPDATE {dead} WHERE {of_bob}"))
                .await
                .unwrap(),
            1
        );
        assert!(test.is_refused(Scheme::Bearer, &text).await, "{dead}");
        assert_eq!(
            test.sql(&format!("UPDATE {alive} WHERE {of_bob}"))
                .await
                .unwrap(),
            1
        );
        test.authority(Scheme::Bearer, &text).await;
    }
    for status in [2, 3] {
        test.sql(&format!(
            "UPDATE users SET status = {status} WHERE id = '{}'",
            bob.id
        ))
        .await
        .unwrap();
        assert!(
            test.is_refused(Scheme::Bearer, &text).await,
            "status {status}"
        );
    }
    // The same over gRPC.
    let asked = |key: &str| ResolveKeyRequest {
        digest: digest(key).to_vec(),
    };
    let dead = test.credentials().resolve_key(asked(&text)).await;
    assert_eq!(reason(dead), Reason::KeyNotFound);
    let live = test
        .credentials()
        .resolve_key(asked(&home.api_key))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(live.kind(), CredentialKind::CommunityKey);
    let short = test
        .credentials()
        .resolve_key(ResolveKeyRequest { digest: vec![1] })
        .await;
    assert_eq!(reason(short), Reason::InvalidValue);
}

#[tokio::test]
async fn a_repeat_with_the_idempotency_key_returns_the_first_key() {
    let test = TestIdentity::new().await;
    let home = test.community("Demo").await;
    let (_, jwt) = test.member(&home, "ada", Role::Admin).await;
    let create = |name: &str| {
        let request = CreateUserApiKeyRequest {
            spec: Some(spec(name, &["sendMessage"])),
        };
        let request = with_key(signed(request, Scheme::Bearer, &jwt), "once");
        let mut client = test.api_keys();
        async move { client.create_user_api_key(request).await }
    };
    let first = create("one").await.unwrap().into_inner();
    let again = create("one").await.unwrap();
    assert_eq!(again.metadata().get("idempotent-replayed").unwrap(), "true");
    assert_eq!(again.into_inner(), first, "the text as well");
    assert_eq!(reason(create("two").await), Reason::IdempotencyMismatch);
}

/// A key that is damaged, as one that was moved here from another row is, signs nothing; the
/// others do.
#[tokio::test]
async fn a_signing_key_that_does_not_open_keeps_nobody_from_logging_in() {
    let test = TestIdentity::new().await;
    let home = test.community("Home").await;
    let (_, before) = test.member(&home, "ann", Role::Member).await;
    let newer = "INSERT INTO signing_keys \
                 (key_id, public_key, sealed_private_key, created_at, retired_at) SELECT 'ffffffffffffffffffffffff', public_key, sealed_private_key, created_at + 1, NULL \
                 FROM signing_keys";
    test.sql(newer).await.unwrap();
    let (_, after) = test.member(&home, "bob", Role::Member).await;
    for token in [before, after] {
        assert!(!test.is_refused(Scheme::Bearer, &token).await);
    }
}

#[tokio::test]
async fn who_deletes_all_signing_keys_from_the_database_ends_tokens_and_no_logins() {
    let test = TestIdentity::new().await;
    let home = test.community("Home").await;
    test.sql("DELETE FROM signing_keys").await.unwrap();
    let (_, token) = test.member(&home, "ann", Role::Member).await;
    assert!(!test.is_refused(Scheme::Bearer, &token).await);
}
