//! A JWT ends within a second after it was revoked, with its key or with all of its user: identity
//! and a gateway as two processes, on a bus and without one.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use futures::future::join_all;
use guildhall_auth::{
    Credential, Guard, RateLimit, credential::Scheme, jwt, source::CredentialSource,
};
use guildhall_data::{CommunityId, KeyId, UserId};
use guildhall_identity::Bootstrapped;
use guildhall_proto::{
    access::v1::Role,
    identity::v1::{ResolveKeyResponse, ResolveSessionResponse, SigningKey},
};
use guildhall_runtime::{Error, Reason, Result};
use guildhall_signals::Signals;
use guildhall_testkit::{Nats, TestDatabase};
use tokio::time::Instant;

use crate::{
    fixture::{TestIdentity, by_email, reason},
    revocation::{MAX_DELAY, are_connected, connect},
};

/// Identity, which the gateway may not reach for a while.
struct Distant {
    identity: Arc<dyn CredentialSource>,
    is_away: AtomicBool,
}

impl Distant {
    fn reach(&self) -> Result<&dyn CredentialSource> {
        match self.is_away.load(Ordering::Relaxed) {
            false => Ok(&*self.identity),
            true => Err(Error::unavailable(Reason::Unreachable, "It is away")),
        }
    }
}

#[async_trait]
impl CredentialSource for Distant {
    async fn key(&self, digest: [u8; 32]) -> Result<Option<ResolveKeyResponse>> {
        self.reach()?.key(digest).await
    }

    async fn session(
        &self,
        community: CommunityId,
        user: UserId,
    ) -> Result<Option<ResolveSessionResponse>> {
        self.reach()?.session(community, user).await
    }

    async fn signing_keys(&self) -> Result<Vec<SigningKey>> {
        self.reach()?.signing_keys().await
    }
}

/// Identity, and the guard of a gateway.
struct Processes {
    test: TestIdentity,
    home: Bootstrapped,
    gateway: Guard,
    source: Arc<Distant>,
}

impl Processes {
    async fn with(signals: [Signals; 2]) -> Self {
        let test = TestIdentity::with(TestDatabase::new().await, signals[0].clone()).await;
        let source = Arc::new(Distant {
            identity: test.identity.credential_source(),
            is_away: AtomicBool::new(false),
        });
        let asked = Arc::clone(&source) as Arc<dyn CredentialSource>;
        Self {
            gateway: Guard::new(asked, RateLimit::per_second(0), &signals[1]),
            home: test.community("Demo").await,
            test,
            source,
        }
    }

    /// Without a bus, and with one.
    async fn of_each_kind() -> (Vec<Self>, Nats) {
        let nats = Nats::start().await;
        let on_bus = ["identity", "gateway"].map(|service| connect(nats.url(), service));
        are_connected(&on_bus).await;
        let alone = [Signals::default(), Signals::default()];
        let all = [Self::with(alone).await, Self::with(on_bus).await];
        (all.into(), nats)
    }

    /// A new JWT of the owner.
    async fn log_in(&self) -> Credential {
        let request = by_email(&self.home.owner.email, &self.home.owner_password);
        let login = self.test.login(&self.home.system_key, request).await;
        Credential::new(Scheme::Bearer, &login.unwrap().token)
    }

    /// A new JWT of the owner that the gateway has just let in.
    async fn in_use(&self) -> Credential {
        let token = self.log_in().await;
        assert!(self.lets_in(&token).await);
        token
    }

    async fn lets_in(&self, token: &Credential) -> bool {
        match self.gateway.authenticate(token).await {
            Ok(_) => true,
            Err(error) if error.reason() == Reason::CredentialInvalid => false,
            Err(error) => panic!("{error:?}"),
        }
    }

    /// Uses a token that was revoked all the time, and checks that it is refused in time.
    async fn ends_in_time(&self, token: &Credential) {
        let revoked_at = Instant::now();
        while self.lets_in(token).await {
            assert!(revoked_at.elapsed() < MAX_DELAY, "it is still let in");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

fn key_id(token: &Credential) -> String {
    jwt::key_id(token.secret()).unwrap()
}

#[tokio::test]
async fn a_token_ends_with_the_key_that_signed_it() {
    let (processes, _nats) = Processes::of_each_kind().await;
    for process in processes {
        let identity = &process.test.identity;
        let old = process.in_use().await;
        identity.rotate_signing_key().await.unwrap();
        let new = process.in_use().await;
        assert!(process.lets_in(&old).await);

        let old_key: KeyId = key_id(&old).parse().unwrap();
        let current = identity.revoke_signing_keys(Some(old_key)).await.unwrap();
        assert_eq!(current, key_id(&new));
        process.ends_in_time(&old).await;
        assert!(process.lets_in(&new).await);
        let again = identity.revoke_signing_keys(Some(old_key)).await;
        assert_eq!(reason(again), Reason::KeyNotFound);

        // The key that signs is revoked: another one takes its place at once.
        let current = identity.revoke_signing_keys(Some(current.parse().unwrap()));
        let current = current.await.unwrap();
        let newest = process.in_use().await;
        assert_eq!(current, key_id(&newest));
        process.ends_in_time(&new).await;
        assert!(process.lets_in(&newest).await);

        identity.revoke_signing_keys(None).await.unwrap();
        process.ends_in_time(&newest).await;
        process.in_use().await;
        assert_eq!(process.test.count("signing_keys").await, 1);
    }
}

#[tokio::test]
async fn a_key_that_is_deleted_from_the_database_is_forgotten_although_nobody_says_so() {
    let process = Processes::with([Signals::default(), Signals::default()]).await;
    let token = process.in_use().await;
    let deleted = process.test.sql("DELETE FROM signing_keys").await.unwrap();
    assert_eq!(deleted, 1);
    process.ends_in_time(&token).await;
}

#[tokio::test]
async fn all_tokens_of_a_user_end_and_those_of_the_next_moment_are_good() {
    let (processes, _nats) = Processes::of_each_kind().await;
    for process in processes {
        let (test, home) = (&process.test, &process.home);
        let (_, other) = test.member(home, "ada", Role::Member).await;
        let other = Credential::new(Scheme::Bearer, &other);
        let owner = &home.owner;
        for named in [&owner.id, &owner.email, &owner.username] {
            // All of them in the same second, as a rule.
            let tokens = [process.in_use().await, process.in_use().await];
            let revoke = test.identity.revoke_sessions(home.community_id, named);
            assert_eq!(revoke.await.unwrap().id, owner.id);
            let next = process.log_in().await;
            join_all(tokens.iter().map(|token| process.ends_in_time(token))).await;
            assert!(process.lets_in(&next).await, "{named}");
        }
        assert!(process.lets_in(&other).await);
        let elsewhere = test.community("Elsewhere").await.community_id;
        for (community, named) in [(elsewhere, &*owner.id), (home.community_id, "nobody")] {
            let unknown = test.identity.revoke_sessions(community, named).await;
            assert_eq!(reason(unknown), Reason::UserNotFound, "{named}");
        }
    }
}

#[tokio::test]
async fn while_identity_is_away_no_key_is_trusted_for_long_and_no_token_is_called_invalid() {
    let process = Processes::with([Signals::default(), Signals::default()]).await;
    let token = process.in_use().await;
    process.source.is_away.store(true, Ordering::Relaxed);
    let away_since = Instant::now();
    let answer = loop {
        match process.gateway.authenticate(&token).await {
            Ok(_) => assert!(away_since.elapsed() < MAX_DELAY, "it is still let in"),
            Err(error) => break error,
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    assert_eq!(answer.reason(), Reason::Unreachable);
    process.source.is_away.store(false, Ordering::Relaxed);
    assert!(process.lets_in(&token).await);
}
