//! A revoked key is refused everywhere within a second, whatever the broker does meanwhile:
//! identity and a gateway as two processes on a real NATS server.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use guildhall_auth::{Credential, Guard, RateLimit, credential::Scheme, source::CredentialSource};
use guildhall_data::{CommunityId, KeyId, Storage, UserId};
use guildhall_identity::{Identity, NewCommunity};
use guildhall_proto::identity::v1::{ResolveKeyResponse, ResolveSessionResponse, SigningKey};
use guildhall_runtime::{Reason, Result, Shutdown};
use guildhall_signals::{BusSettings, Coverage, Retention, Signals};
use guildhall_testkit::{Mode, Nats, Proxy};
use tempfile::TempDir;
use tokio::time::{Instant, timeout};

/// How long a revoked key may be believed.
const PROMISE: Duration = Duration::from_secs(1);
/// Longer than anything else here takes.
const LONG: Duration = Duration::from_secs(20);

/// Identity, and how often it was asked for a key.
struct Counted {
    identity: Arc<dyn CredentialSource>,
    asked: AtomicU64,
}

#[async_trait]
impl CredentialSource for Counted {
    async fn key(&self, digest: [u8; 32]) -> Result<Option<ResolveKeyResponse>> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        self.identity.key(digest).await
    }

    async fn session(
        &self,
        community: CommunityId,
        user: UserId,
    ) -> Result<Option<ResolveSessionResponse>> {
        self.identity.session(community, user).await
    }

    async fn signing_keys(&self) -> Result<Vec<SigningKey>> {
        self.identity.signing_keys().await
    }
}

/// Identity and the guard of a gateway.
struct Town {
    identity: Identity,
    community: CommunityId,
    gateway: Guard,
    source: Arc<Counted>,
    /// Identity's and the gateway's.
    signals: [Signals; 2],
    _directory: TempDir,
}

struct Key {
    id: KeyId,
    credential: Credential,
}

impl Town {
    /// A town on a bus, with the addresses at which identity and the gateway find it.
    async fn on_bus(identity_url: String, gateway_url: String) -> Self {
        let connect = |url, service| {
            let settings = BusSettings {
                urls: vec![url],
                tls_ca: None,
                stream_replicas: 1,
                retention: Retention::default(),
                service,
                listens_to: &["identity"],
            };
            Signals::connect(&settings, &Shutdown::default()).unwrap()
        };
        Self::new([
            connect(identity_url, "identity"),
            connect(gateway_url, "gateway"),
        ])
        .await
    }

    async fn on(nats: &Nats) -> Self {
        Self::on_bus(nats.url(), nats.url()).await
    }

    async fn new(signals: [Signals; 2]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let storage = Storage::files(directory.path());
        let shutdown = Shutdown::default();
        let identity = Identity::open(&storage, b"a secret", signals[0].clone(), &shutdown);
        let identity = identity.await.unwrap();
        let new = NewCommunity {
            name: "Demo".into(),
            owner_email: "ada@example.com".into(),
        };
        let community = identity.bootstrap(new).await.unwrap().community_id;
        let source = Arc::new(Counted {
            identity: identity.credential_source(),
            asked: AtomicU64::new(0),
        });
        let asked = Arc::clone(&source) as Arc<dyn CredentialSource>;
        Self {
            gateway: Guard::new(asked, RateLimit::per_second(0), &signals[1]),
            identity,
            community,
            source,
            signals,
            _directory: directory,
        }
    }

    /// Waits until all hear everything.
    async fn is_whole(&self) {
        for signals in &self.signals {
            let mut coverage = signals.watch_coverage();
            let whole = coverage.wait_for(|coverage| *coverage == Coverage::Everywhere);
            timeout(LONG, whole).await.expect("it never is").unwrap();
        }
    }

    /// A new key that the gateway has just let in.
    async fn key_in_use(&self) -> Key {
        let (id, text) = self
            .identity
            .create_sendbird_token(self.community)
            .await
            .unwrap();
        let credential = Credential::new(Scheme::SendbirdToken, text.as_str());
        let key = Key { id, credential };
        assert!(self.lets_in(&key).await);
        key
    }

    async fn lets_in(&self, key: &Key) -> bool {
        match self.gateway.authenticate(&key.credential).await {
            Ok(_) => true,
            Err(error) if error.reason() == Reason::CredentialInvalid => false,
            Err(error) => panic!("{error:?}"),
        }
    }

    /// Revokes a key that the gateway sees all the time, and waits until it is refused.
    async fn revoked_in_time(&self, key: Key) {
        let revoke = self.identity.revoke_sendbird_token(self.community, key.id);
        revoke.await.unwrap();
        let revoked_at = Instant::now();
        while self.lets_in(&key).await {
            assert!(revoked_at.elapsed() < PROMISE, "it is still believed");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// The same for a key that is used for the first time now.
    async fn a_key_is_revoked_in_time(&self) {
        let key = self.key_in_use().await;
        self.revoked_in_time(key).await;
    }

    fn asked(&self) -> u64 {
        self.source.asked.load(Ordering::Relaxed)
    }
}

#[tokio::test]
async fn with_the_broker_a_key_is_remembered_until_it_is_revoked() {
    let nats = Nats::start().await;
    let town = Town::on(&nats).await;
    town.is_whole().await;
    let key = town.key_in_use().await;
    let asked = town.asked();
    tokio::time::sleep(PROMISE * 2).await;
    assert!(town.lets_in(&key).await);
    assert_eq!(town.asked(), asked, "it was remembered for two seconds");
    town.revoked_in_time(key).await;
}

#[tokio::test]
async fn without_a_bus_a_key_dies_although_nobody_says_so() {
    // As an operator's command does: another process, which sends no signal.
    let town = Town::new([Signals::default(), Signals::default()]).await;
    town.a_key_is_revoked_in_time().await;
}

#[tokio::test]
async fn with_the_broker_away_from_the_start() {
    let nats = Nats::away().await;
    let town = Town::on(&nats).await;
    town.a_key_is_revoked_in_time().await;
}

#[tokio::test]
async fn with_the_broker_killed() {
    let mut nats = Nats::start().await;
    let town = Town::on(&nats).await;
    town.is_whole().await;
    let key = town.key_in_use().await;
    nats.kill9().await;
    town.revoked_in_time(key).await;
    town.a_key_is_revoked_in_time().await;

    // Revoked while nobody hears, and the broker is back before the second is over.
    let key = town.key_in_use().await;
    let revoke = town.identity.revoke_sendbird_token(town.community, key.id);
    revoke.await.unwrap();
    let revoked_at = Instant::now();
    nats.start_again().await;
    town.is_whole().await;
    tokio::time::sleep_until(revoked_at + PROMISE).await;
    assert!(!town.lets_in(&key).await);
    town.a_key_is_revoked_in_time().await;
}

#[tokio::test]
async fn with_the_broker_standing_still() {
    let nats = Nats::start().await;
    let town = Town::on(&nats).await;
    town.is_whole().await;
    let key = town.key_in_use().await;
    nats.pause().await;
    town.revoked_in_time(key).await;
    town.a_key_is_revoked_in_time().await;
    nats.resume().await;
    town.is_whole().await;
    town.a_key_is_revoked_in_time().await;
}

#[tokio::test]
async fn with_either_line_to_the_broker_swallowing_everything() {
    let nats = Nats::start().await;
    let lines = [
        Proxy::start(nats.address()).await,
        Proxy::start(nats.address()).await,
    ];
    let [to_identity, to_gateway] = lines
        .each_ref()
        .map(|line| nats.url_through(line.address()));
    let town = Town::on_bus(to_identity, to_gateway).await;
    for line in &lines {
        town.is_whole().await;
        let key = town.key_in_use().await;
        line.set(Mode::Blackhole);
        town.revoked_in_time(key).await;
        town.a_key_is_revoked_in_time().await;
        line.set(Mode::Pass);
        town.is_whole().await;
        town.a_key_is_revoked_in_time().await;
    }
}

#[tokio::test]
async fn with_a_line_to_the_broker_that_is_slow_or_reset() {
    let nats = Nats::start().await;
    let line = Proxy::start(nats.address()).await;
    let town = Town::on_bus(nats.url_through(line.address()), nats.url()).await;
    for delay in [100, 400, 2000] {
        town.is_whole().await;
        let key = town.key_in_use().await;
        line.set(Mode::Delay(Duration::from_millis(delay)));
        town.revoked_in_time(key).await;
        for _ in 0..3 {
            town.a_key_is_revoked_in_time().await;
        }
        line.set(Mode::Pass);
    }
    for _ in 0..5 {
        town.is_whole().await;
        let key = town.key_in_use().await;
        line.reset_all();
        town.revoked_in_time(key).await;
    }
}

#[tokio::test]
async fn a_thousand_requests_with_a_new_key_ask_identity_once() {
    let town = Town::new([Signals::default(), Signals::default()]).await;
    let made = town.identity.create_sendbird_token(town.community).await;
    let credential = Credential::new(Scheme::SendbirdToken, made.unwrap().1.as_str());
    let requests = (0..1000).map(|_| town.gateway.authenticate(&credential));
    let answers = futures::future::join_all(requests).await;
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!(town.asked(), 1);
}
