//! How many attempts to log in are let through. Attempts come through a gateway, which knows where
//! they come from.

use std::time::Duration;

use futures::future::join_all;
use guildhall_auth::{credential::Scheme, peer::CLIENT_ADDRESS};
use guildhall_identity::Bootstrapped;
use guildhall_proto::identity::v1::{LoginRequest, LoginResponse};
use guildhall_runtime::{Error, Reason, Result};
use tonic::{Request, metadata::MetadataValue};

use super::login::with_ada;
use crate::fixture::{TestIdentity, by_email, by_username, reason, signed, with_key};

const EMAIL: &str = "Ada@example.com";

/// A community with the member `Ada`.
struct Home {
    test: TestIdentity,
    made: Bootstrapped,
    password: String,
}

impl Home {
    async fn new() -> Self {
        let test = TestIdentity::new().await;
        let (made, password) = with_ada(&test).await;
        Self {
            test,
            made,
            password,
        }
    }

    fn request(&self, address: &str, login: LoginRequest) -> Request<LoginRequest> {
        let mut request = signed(login, Scheme::SystemKey, &self.made.system_key);
        let address = MetadataValue::try_from(address).unwrap();
        request.metadata_mut().insert(CLIENT_ADDRESS, address);
        request
    }

    async fn login(&self, address: &str, login: LoginRequest) -> Result<LoginResponse> {
        let request = self.request(address, login);
        let answer = self.test.authentication_by_gateway().login(request).await;
        Ok(answer.map_err(Error::from)?.into_inner())
    }

    /// The reason why a login is refused.
    async fn refused(&self, address: &str, login: LoginRequest) -> Reason {
        reason(self.login(address, login).await)
    }

    /// One wrong password from each of these addresses.
    async fn wrong(&self, addresses: &[&str], login: impl Fn(&str) -> LoginRequest) {
        for address in addresses {
            let refused = self.refused(address, login("wrong")).await;
            assert_eq!(refused, Reason::LoginRefused, "{address}");
        }
    }

    /// Lets the counters that stand at `from` stand at `to`.
    async fn move_counters(&self, from: i32, to: i32) -> u64 {
        let update = format!("UPDATE login_attempts SET attempts = {to} WHERE attempts = {from}");
        self.test.sql(&update).await.unwrap()
    }
}

fn email(password: &str) -> LoginRequest {
    by_email(EMAIL, password)
}

fn username(password: &str) -> LoginRequest {
    by_username("ada", password)
}

#[tokio::test]
async fn the_twenty_first_attempt_has_to_wait_until_the_window_is_over() {
    let test = TestIdentity::new().await;
    let (home, password) = with_ada(&test).await;
    let attempt = |password: String| {
        let request = by_username("ada", &password);
        test.login(&home.system_key, request)
    };
    // All at the same time, so that none gets in between counting and checking.
    let answers = join_all((0..25).map(|n| attempt(format!("wrong {n}")))).await;
    let mut refused: Vec<_> = answers.into_iter().map(reason).collect();
    refused.sort_by_key(|reason| *reason == Reason::LoginAttempts);
    assert!(
        refused[..20]
            .iter()
            .all(|reason| *reason == Reason::LoginRefused),
        "{refused:?}"
    );
    assert!(
        refused[20..]
            .iter()
            .all(|reason| *reason == Reason::LoginAttempts),
        "{refused:?}"
    );

    let error = attempt(password.clone()).await.unwrap_err();
    assert_eq!(error.reason(), Reason::LoginAttempts);
    let wait = error.retry_delay().unwrap();
    assert!(
        wait > Duration::from_secs(600) && wait <= Duration::from_secs(900),
        "{wait:?}"
    );

    test.sql("UPDATE login_attempts SET expires_at = 1")
        .await
        .unwrap();
    attempt(password).await.unwrap();
}

#[tokio::test]
async fn the_right_password_resets_the_attempts() {
    let test = TestIdentity::new().await;
    let (home, password) = with_ada(&test).await;
    for _ in 0..2 {
        for _ in 0..19 {
            let wrong = test.login(&home.system_key, by_username("ada", "wrong"));
            assert_eq!(reason(wrong.await), Reason::LoginRefused);
        }
        test.login(&home.system_key, by_username("ada", &password))
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn a_name_from_one_address_has_a_limit_of_its_own() {
    let home = Home::new().await;
    let wrong = (0..20).map(|_| home.refused("192.0.2.1", username("wrong")));
    let refused = join_all(wrong).await;
    assert!(refused.iter().all(|reason| *reason == Reason::LoginRefused));
    let right = || username(&home.password);
    assert_eq!(
        home.refused("192.0.2.1", right()).await,
        Reason::LoginAttempts
    );
    let another = by_username("bob", &home.password);
    assert_eq!(
        home.refused("192.0.2.1", another).await,
        Reason::LoginRefused
    );
    // That the e-mail address is of the same account cannot be seen.
    home.wrong(&["192.0.2.1"], email).await;
    home.login("192.0.2.2", right()).await.unwrap();
    assert_eq!(
        home.refused("192.0.2.1", right()).await,
        Reason::LoginAttempts
    );
}

#[tokio::test]
async fn an_ipv6_client_counts_as_its_network_and_a_mapped_one_as_ipv4() {
    let home = Home::new().await;
    home.wrong(&["2001:db8:0:1::1", "192.0.2.1"], username)
        .await;
    // Two rows of the address and of the name from it, for each of the two.
    assert_eq!(home.move_counters(1, 20).await, 4);
    for (address, expected) in [
        ("2001:db8:0:1:ffff::2", Reason::LoginAttempts),
        ("2001:db8:0:2::1", Reason::LoginRefused),
        ("::ffff:192.0.2.1", Reason::LoginAttempts),
        ("::ffff:192.0.2.2", Reason::LoginRefused),
    ] {
        assert_eq!(
            home.refused(address, username("wrong")).await,
            expected,
            "{address}"
        );
    }
}

#[tokio::test]
async fn a_guess_under_the_idempotency_key_of_a_login_is_counted() {
    let home = Home::new().await;
    let login = async |password: &str| {
        let request = with_key(home.request("192.0.2.1", email(password)), "once");
        let answer = home.test.authentication_by_gateway().login(request).await;
        answer.map_err(Error::from)
    };
    let first = login(&home.password).await.unwrap().into_inner();
    for n in 0..19 {
        let guess = reason(login(&format!("guess {n}")).await);
        assert_eq!(guess, Reason::IdempotencyMismatch);
    }
    // A repeat takes itself back, and no guess.
    for _ in 0..3 {
        assert_eq!(login(&home.password).await.unwrap().into_inner(), first);
    }
    let last = reason(login("the twentieth guess").await);
    assert_eq!(last, Reason::IdempotencyMismatch);
    assert_eq!(reason(login("one more").await), Reason::LoginAttempts);
    assert_eq!(reason(login(&home.password).await), Reason::LoginAttempts);
}

#[tokio::test]
async fn an_address_that_tries_many_names_has_to_wait() {
    let home = Home::new().await;
    for name in ["a", "b", "c"] {
        let refused = home.refused("192.0.2.1", by_username(name, "wrong")).await;
        assert_eq!(refused, Reason::LoginRefused);
    }
    home.login("192.0.2.1", username(&home.password))
        .await
        .unwrap();
    assert_eq!(
        home.move_counters(3, 300).await,
        1,
        "a right password does not count"
    );
    let another = by_username("d", "wrong");
    assert_eq!(
        home.refused("192.0.2.1", another.clone()).await,
        Reason::LoginAttempts
    );
    let right = username(&home.password);
    assert_eq!(
        home.refused("192.0.2.1", right).await,
        Reason::LoginAttempts
    );
    assert_eq!(
        home.refused("192.0.2.2", another).await,
        Reason::LoginRefused
    );
}

#[tokio::test]
async fn a_name_has_a_limit_over_all_addresses_that_spares_those_of_its_owner() {
    let home = Home::new().await;
    home.login("192.0.2.9", username(&home.password))
        .await
        .unwrap();
    for name in [EMAIL, "nobody@example.com"] {
        let strangers = ["192.0.2.1", "192.0.2.2", "192.0.2.3"];
        home.wrong(&strangers, |password| by_email(name, password))
            .await;
        // The name's, and the account's or what stands for one.
        assert_eq!(home.move_counters(3, 100).await, 2, "{name}");
        let refused = home
            .login("192.0.2.4", by_email(name, &home.password))
            .await;
        let refused = refused.unwrap_err();
        assert_eq!(refused.reason(), Reason::LoginAttempts, "{name}");
        let wait = refused.retry_delay().unwrap();
        assert!(wait > Duration::from_secs(3000) && wait <= Duration::from_secs(3600));
        home.test
            .sql("DELETE FROM login_attempts WHERE attempts BETWEEN 1 AND 20")
            .await
            .unwrap();
    }
    // The owner's own address is spared, and the other name says nothing.
    home.login("192.0.2.9", email(&home.password))
        .await
        .unwrap();
    home.login("192.0.2.5", username(&home.password))
        .await
        .unwrap();
    let stranger = home.refused("192.0.2.6", email(&home.password)).await;
    assert_eq!(stranger, Reason::LoginAttempts);
}

#[tokio::test]
async fn when_both_names_were_tried_too_often_no_password_is_right_from_elsewhere() {
    let home = Home::new().await;
    home.login("192.0.2.9", username(&home.password))
        .await
        .unwrap();
    home.wrong(&["192.0.2.1", "192.0.2.2"], email).await;
    home.wrong(&["192.0.2.3"], username).await;
    assert_eq!(home.move_counters(3, 200).await, 1, "the account's");
    for login in [email, username] {
        // As if it were wrong: that the two names belong together cannot be seen.
        let refused = home.refused("192.0.2.4", login(&home.password)).await;
        assert_eq!(refused, Reason::LoginRefused);
    }
    home.login("192.0.2.9", email(&home.password))
        .await
        .unwrap();
}

#[tokio::test]
async fn what_is_counted_expires() {
    let home = Home::new().await;
    home.login("192.0.2.9", username(&home.password))
        .await
        .unwrap();
    home.wrong(&["192.0.2.1"], username).await;
    let now = guildhall_runtime::Timestamp::now();
    let hour = now.plus(Duration::from_secs(3600)).as_millis();
    let month = now
        .plus(Duration::from_secs(30 * 24 * 3600 + 60))
        .as_millis();
    let lasting = |until| format!("login_attempts WHERE expires_at > {until}");
    assert_eq!(
        home.test.count(&lasting(hour + 60_000)).await,
        1,
        "a familiar address"
    );
    assert_eq!(home.test.count(&lasting(month)).await, 0);
}
