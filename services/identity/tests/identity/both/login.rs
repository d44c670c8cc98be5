use std::time::Duration;

use futures::future::join_all;
use guildhall_auth::{Authority, credential::Scheme, jwt};
use guildhall_identity::Bootstrapped;
use guildhall_proto::{
    access::v1::Role,
    identity::v1::{ListSigningKeysRequest, LoginRequest, SigningKey},
};
use guildhall_runtime::{Reason, Timestamp};

use crate::fixture::{TestIdentity, by_email, by_username, member, reason, signed, with_key};

/// A community with the member `ada`, and their password.
pub(super) async fn with_ada(test: &TestIdentity) -> (Bootstrapped, String) {
    let home = test.community("Demo").await;
    let ada = member("Ada", Role::Admin);
    let (_, password) = test
        .identity
        .add_member(home.community_id, ada)
        .await
        .unwrap();
    (home, password.to_string())
}

async fn signing_keys(test: &TestIdentity) -> Vec<SigningKey> {
    let answer = test
        .authentication()
        .list_signing_keys(ListSigningKeysRequest {})
        .await;
    answer.unwrap().into_inner().keys
}

#[tokio::test]
async fn the_right_password_gets_a_token_for_seven_days_in_one_community() {
    let test = TestIdentity::new().await;
    let (home, password) = with_ada(&test).await;
    let before = Timestamp::now().as_secs();
    for request in [
        by_username("aDA", &password),
        by_email("ADA@Example.com", &password),
    ] {
        let answer = test.login(&home.system_key, request).await.unwrap();
        let user = answer.user.unwrap();
        assert_eq!((&*user.username, user.number), ("Ada", 2));
        let caller = test.caller(Scheme::Bearer, &answer.token).await.unwrap();
        assert_eq!(caller.community, home.community_id);
        let ada = user.id.parse().unwrap();
        assert_eq!(
            caller.authority,
            Authority::Member {
                user: ada,
                role: Role::Admin
            }
        );
        let expires_at = Timestamp::from(answer.expire_time.unwrap());
        assert_eq!(caller.expires_at, Some(expires_at));
        let life = expires_at.as_secs() - before;
        assert!((604_800..604_810).contains(&life), "{life}");
    }
    let keys = signing_keys(&test).await;
    assert_eq!((keys.len(), keys[0].public_key.len()), (1, 32));
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_account_get_the_same_answer() {
    let test = TestIdentity::new().await;
    let (home, password) = with_ada(&test).await;
    let other = test.community("Other").await;
    for (key, request) in [
        (&home.system_key, by_username("ada", "wrong")),
        (&home.system_key, by_username("nobody", &password)),
        (&home.system_key, by_email("nobody@example.com", &password)),
        // Ada has no account there.
        (&other.system_key, by_username("ada", &password)),
    ] {
        let error = test.login(key, request).await.unwrap_err();
        assert_eq!(error.reason(), Reason::LoginRefused);
        assert_eq!(error.message(), "Wrong email or password");
    }
}

#[tokio::test]
async fn only_the_right_password_reveals_that_an_account_may_not_log_in() {
    let test = TestIdentity::new().await;
    let (home, password) = with_ada(&test).await;
    let login = |password: &str| test.login(&home.system_key, by_username("ada", password));
    let token = login(&password).await.unwrap().token;
    for state in [
        "status = 2",
        "status = 3",
        "status = 1, is_email_verified = FALSE",
    ] {
        let ada = "username = 'Ada'";
        assert_eq!(
            test.sql(&format!("UPDATE users SET {state} WHERE {ada}"))
                .await
                .unwrap(),
            1
        );
        assert_eq!(
            reason(login(&password).await),
            Reason::AccountUnavailable,
            "{state}"
        );
        assert_eq!(
            reason(login("wrong").await),
            Reason::LoginRefused,
            "{state}"
        );
        let is_active = state.starts_with("status = 1");
        assert_eq!(
            test.is_refused(Scheme::Bearer, &token).await,
            !is_active,
            "{state}"
        );
    }
    let later = Timestamp::now().plus(Duration::from_secs(2)).as_millis();
    test.sql(&format!("UPDATE users SET tokens_valid_after = {later}"))
        .await
        .unwrap();
    assert!(test.is_refused(Scheme::Bearer, &token).await);
}

#[tokio::test]
async fn an_account_without_a_password_accepts_none() {
    let test = TestIdentity::new().await;
    let (home, password) = with_ada(&test).await;
    test.sql("UPDATE users SET password_hash = NULL")
        .await
        .unwrap();
    let answer = test
        .login(&home.system_key, by_username("ada", &password))
        .await;
    assert_eq!(reason(answer), Reason::LoginRefused);
}

#[tokio::test]
async fn what_cannot_be_an_account_or_password_is_refused_before_the_look_up() {
    let test = TestIdentity::new().await;
    let home = test.community("Demo").await;
    for (request, expected) in [
        (
            LoginRequest {
                account: None,
                password: "p".into(),
            },
            Reason::MissingField,
        ),
        (by_email("", "p"), Reason::MissingField),
        (by_email("ada@example.com", ""), Reason::MissingField),
        (
            by_email("ada@example.com", &"p".repeat(1025)),
            Reason::ValueTooLong,
        ),
        (by_email("ada@example.com", "a\0b"), Reason::InvalidValue),
        (by_email("ada\0@example.com", "p"), Reason::InvalidValue),
        (by_username(&"a".repeat(321), "p"), Reason::ValueTooLong),
    ] {
        assert_eq!(
            reason(test.login(&home.system_key, request).await),
            expected
        );
    }
    let unknown = signed(by_email("a@b", "p"), Scheme::Bearer, &home.api_key);
    assert_eq!(
        reason(test.login_as(unknown).await),
        Reason::CredentialInvalid
    );
}

#[tokio::test]
async fn a_repeat_with_the_idempotency_key_returns_the_first_token() {
    let test = TestIdentity::new().await;
    let (home, password) = with_ada(&test).await;
    let login = |password: &str| {
        let request = signed(
            by_username("ada", password),
            Scheme::SystemKey,
            &home.system_key,
        );
        let mut client = test.authentication();
        async move { client.login(with_key(request, "once")).await }
    };
    assert_eq!(
        reason(login("wrong").await),
        Reason::LoginRefused,
        "failures are not kept"
    );
    let first = login(&password).await.unwrap();
    assert!(first.metadata().get("idempotent-replayed").is_none());
    let again = login(&password).await.unwrap();
    assert_eq!(again.metadata().get("idempotent-replayed").unwrap(), "true");
    assert_eq!(again.into_inner(), first.into_inner());
    assert_eq!(reason(login("another").await), Reason::IdempotencyMismatch);
}

#[tokio::test]
async fn after_a_rotation_in_another_process_old_tokens_stay_valid_and_new_ones_carry_the_new_key()
{
    let test = TestIdentity::new().await;
    let (home, password) = with_ada(&test).await;
    let login = || test.login(&home.system_key, by_username("ada", &password));
    let old = login().await.unwrap().token;
    let old_key = jwt::key_id(&old).unwrap();
    let new_key = test.open_again().await.rotate_signing_key().await.unwrap();
    let new = login().await.unwrap().token;
    assert_eq!(jwt::key_id(&new), Some(new_key.clone()));
    for token in [&old, &new] {
        assert!(matches!(
            test.authority(Scheme::Bearer, token).await,
            Authority::Member { .. }
        ));
    }
    let listed: Vec<String> = signing_keys(&test)
        .await
        .into_iter()
        .map(|key| key.key_id)
        .collect();
    assert_eq!(listed, [new_key.clone(), old_key]);

    // A week and a day later no token of the old key is valid.
    let long_ago = Timestamp::now()
        .minus(Duration::from_secs(8 * 24 * 3600))
        .as_millis();
    let retire = format!("UPDATE signing_keys SET retired_at = {long_ago} WHERE retired_at > 0");
    assert_eq!(test.sql(&retire).await.unwrap(), 1);
    let listed: Vec<String> = signing_keys(&test)
        .await
        .into_iter()
        .map(|key| key.key_id)
        .collect();
    assert_eq!(listed, [new_key]);
    assert!(test.is_refused(Scheme::Bearer, &old).await);
}

#[tokio::test]
async fn the_private_half_of_a_retired_key_is_removed() {
    let test = TestIdentity::new().await;
    test.identity.rotate_signing_key().await.unwrap();
    assert_eq!(test.count("signing_keys").await, 2);
    let signing = "signing_keys WHERE sealed_private_key IS NOT NULL";
    assert_eq!(test.count(signing).await, 1);
}

#[tokio::test]
async fn processes_that_start_at_the_same_time_create_one_key() {
    let test = TestIdentity::new().await;
    test.sql("DELETE FROM signing_keys").await.unwrap();
    join_all((0..4).map(|_| test.open_again())).await;
    assert_eq!(signing_keys(&test).await.len(), 1);
}

#[tokio::test]
async fn another_secret_is_refused_at_start() {
    let test = TestIdentity::new().await;
    let refused = test.open_with(b"another secret").await.unwrap_err();
    assert!(
        refused.with_causes().contains("secret.key"),
        "{}",
        refused.with_causes()
    );
}
