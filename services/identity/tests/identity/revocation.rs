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
use guildhall_signals::{BrokerKeys, BusSettings, Coverage, Retention, Signals};
use guildhall_testkit::{Mode, Nats, Proxy};
use tempfile::TempDir;
use tokio::time::{Instant, timeout};

/// How long a revoked key may be accepted.
pub const MAX_DELAY: Duration = Duration::from_secs(1);
/// Longer than any step takes.
const LONG: Duration = Duration::from_secs(20);

/// Identity, counting how often it was asked for a key.
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

/// A process of `service` on the bus at `url`.
pub fn connect(url: String, service: &'static str) -> Signals {
    let settings = BusSettings {
        urls: vec![url],
        tls_ca: None,
        stream_replicas: 1,
        stream_max_bytes: 1 << 30,
        keys: BrokerKeys::derive(b"secret").unwrap(),
        retention: Retention::default(),
        service,
        listens_to: &["identity"],
    };
    Signals::connect(&settings, &Shutdown::default()).unwrap()
}

/// Waits until all of them receive every signal.
pub async fn are_connected(signals: &[Signals]) {
    for signals in signals {
        let mut coverage = signals.watch_coverage();
        let connected = coverage.wait_for(|coverage| *coverage == Coverage::Everywhere);
        timeout(LONG, connected).await.expect("in time").unwrap();
    }
}

/// Identity, and the guard of a gateway.
struct Services {
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

impl Services {
    /// Services on a bus, with the addresses at which identity and the gateway reach it.
    async fn on_bus(identity_url: String, gateway_url: String) -> Self {
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

    /// Waits until both receive every signal.
    async fn are_connected(&self) {
        are_connected(&self.signals).await;
    }

    /// A new key that the gateway has just accepted.
    async fn key_in_use(&self) -> Key {
        let (id, text) = self
            .identity
            .create_sendbird_token(self.community)
            .await
            .unwrap();
        let credential = Credential::new(Scheme::SendbirdToken, text.as_str());
        let key = Key { id, credential };
        assert!(self.accepts(&key).await);
        key
    }

    async fn accepts(&self, key: &Key) -> bool {
        match self.gateway.authenticate(&key.credential).await {
            Ok(_) => true,
            Err(error) if error.reason() == Reason::CredentialInvalid => false,
            Err(error) => panic!("{error:?}"),
        }
    }

    /// Revokes a key that the gateway sees all the time, and checks that it is refused in time.
    async fn revoked_in_time(&self, key: Key) {
        let revoke = self.identity.revoke_sendbird_token(self.community, key.id);
        revoke.await.unwrap();
        let revoked_at = Instant::now();
        while self.accepts(&key).await {
            assert!(revoked_at.elapsed() < MAX_DELAY, "it is still accepted");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// The same for a new key.
    async fn a_key_is_revoked_in_time(&self) {
        let key = self.key_in_use().await;
        self.revoked_in_time(key).await;
    }

    fn asked(&self) -> u64 {
        self.source.asked.load(Ordering::Relaxed)
    }
}

#[tokio::test]
async fn with_the_broker_a_key_is_cached_until_it_is_revoked() {
    let nats = Nats::start().await;
    let services = Services::on(&nats).await;
    services.are_connected().await;
    let key = services.key_in_use().await;
    let asked = services.asked();
    tokio::time::sleep(MAX_DELAY * 2).await;
    assert!(services.accepts(&key).await);
    assert_eq!(services.asked(), asked, "it was cached for two seconds");
    services.revoked_in_time(key).await;
}

#[tokio::test]
async fn without_a_bus_a_key_is_refused_although_no_signal_is_sent() {
    // Like the command of an operator, which is another process and sends no signal.
    let services = Services::new([Signals::default(), Signals::default()]).await;
    services.a_key_is_revoked_in_time().await;
}

#[tokio::test]
async fn with_the_broker_away_from_the_start() {
    let nats = Nats::away().await;
    let services = Services::on(&nats).await;
    services.a_key_is_revoked_in_time().await;
}

#[tokio::test]
async fn with_the_broker_killed() {
    let mut nats = Nats::start().await;
    let services = Services::on(&nats).await;
    services.are_connected().await;
    let key = services.key_in_use().await;
    nats.kill9().await;
    services.revoked_in_time(key).await;
    services.a_key_is_revoked_in_time().await;

    // Revoked while the broker is away, which is back before the second is over.
    let key = services.key_in_use().await;
    let revoke = services
        .identity
        .revoke_sendbird_token(services.community, key.id);
    revoke.await.unwrap();
    let revoked_at = Instant::now();
    nats.start_again().await;
    services.are_connected().await;
    tokio::time::sleep_until(revoked_at + MAX_DELAY).await;
    assert!(!services.accepts(&key).await);
    services.a_key_is_revoked_in_time().await;
}

#[tokio::test]
async fn with_the_broker_paused() {
    let nats = Nats::start().await;
    let services = Services::on(&nats).await;
    services.are_connected().await;
    let key = services.key_in_use().await;
    nats.pause().await;
    services.revoked_in_time(key).await;
    services.a_key_is_revoked_in_time().await;
    nats.resume().await;
    services.are_connected().await;
    services.a_key_is_revoked_in_time().await;
}

#[tokio::test]
async fn with_either_connection_to_the_broker_blackholed() {
    let nats = Nats::start().await;
    let lines = [
        Proxy::start(nats.address()).await,
        Proxy::start(nats.address()).await,
    ];
    let [to_identity, to_gateway] = lines
        .each_ref()
        .map(|line| nats.url_through(line.address()));
    let services = Services::on_bus(to_identity, to_gateway).await;
    for line in &lines {
        services.are_connected().await;
        let key = services.key_in_use().await;
        line.set(Mode::Blackhole);
        services.revoked_in_time(key).await;
        services.a_key_is_revoked_in_time().await;
        line.set(Mode::Pass);
        services.are_connected().await;
        services.a_key_is_revoked_in_time().await;
    }
}

#[tokio::test]
async fn with_a_slow_or_reset_connection_to_the_broker() {
    let nats = Nats::start().await;
    let line = Proxy::start(nats.address()).await;
    let services = Services::on_bus(nats.url_through(line.address()), nats.url()).await;
    for delay in [100, 400, 2000] {
        services.are_connected().await;
        let key = services.key_in_use().await;
        line.set(Mode::Delay(Duration::from_millis(delay)));
        services.revoked_in_time(key).await;
        for _ in 0..3 {
            services.a_key_is_revoked_in_time().await;
        }
        line.set(Mode::Pass);
    }
    for _ in 0..5 {
        services.are_connected().await;
        let key = services.key_in_use().await;
        line.reset_all();
        services.revoked_in_time(key).await;
    }
}

#[tokio::test]
async fn a_thousand_requests_with_a_new_key_ask_identity_once() {
    let services = Services::new([Signals::default(), Signals::default()]).await;
    let made = services
        .identity
        .create_sendbird_token(services.community)
        .await;
    let credential = Credential::new(Scheme::SendbirdToken, made.unwrap().1.as_str());
    let requests = (0..1000).map(|_| services.gateway.authenticate(&credential));
    let answers = futures::future::join_all(requests).await;
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!(services.asked(), 1);
}
