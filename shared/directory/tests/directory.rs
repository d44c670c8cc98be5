//! The directory in front of a real identity service in this process, whose calls are counted.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a step that fails fails its test"
)]

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures::future::join_all;
use guildhall_auth::{AccessLayer, Guard, PeerTokens, RateLimit, Role, RpcTable};
use guildhall_data::Storage;
use guildhall_directory::{Directory, User};
use guildhall_identity::{Bootstrapped, Identity, NewCommunity, NewMember};
use guildhall_runtime::{
    Error, Peer, Reason, Result, Shutdown,
    around::{Answer, Around, RpcService, around},
};
use guildhall_server::Rpcs;
use guildhall_service::Running as _;
use guildhall_signals::{SessionChanged, Signals};
use guildhall_types::{CommunityId, UserId};
use http::Request;
use sea_orm::ConnectionTrait;
use tempfile::TempDir;
use tonic::{Status, body::Body};
use tower::Layer;

const SECRET: &[u8] = b"the platform's secret";
/// References of one request.
const BATCH: usize = 500;
/// How long an answer is cached without a bus.
const LIFE: Duration = Duration::from_secs(30);
/// Those who ask at once.
const CROWD: usize = 50;

/// The way to identity: counts the calls, and can be cut off.
#[derive(Debug, Clone, Default)]
struct Way(Arc<State>);

#[derive(Debug, Default)]
struct State {
    calls: AtomicUsize,
    is_cut_off: AtomicBool,
}

impl Around for Way {
    fn call<S: RpcService>(&self, service: &mut S, request: Request<Body>) -> Answer<S::Error> {
        self.0.calls.fetch_add(1, Ordering::Relaxed);
        if self.0.is_cut_off.load(Ordering::Relaxed) {
            return Box::pin(async { Ok(Status::unavailable("cut off").into_http()) });
        }
        Box::pin(service.call(request))
    }
}

/// A community, and the directory of another service that asks identity for it.
struct Fixture {
    directory: Directory,
    signals: Signals,
    way: Way,
    identity: Identity,
    community: Bootstrapped,
    owner: UserId,
    files: TempDir,
}

impl Fixture {
    async fn new() -> Self {
        let files = tempfile::tempdir().unwrap();
        let (storage, never) = (Storage::files(files.path()), Shutdown::default());
        let identity = Identity::open(&storage, SECRET, Signals::default(), &never);
        let identity = identity.await.unwrap();
        let new = NewCommunity {
            name: "Club".into(),
            owner_email: "olga@club.example".into(),
        };
        let community = identity.bootstrap(new).await.unwrap();
        let (signals, way) = (Signals::default(), Way::default());
        Self {
            directory: Directory::new(peer(&identity, &way), &signals),
            owner: community.owner.id.parse().unwrap(),
            signals,
            way,
            identity,
            community,
            files,
        }
    }

    fn id(&self) -> CommunityId {
        self.community.community_id
    }

    /// How often identity was called since the last time.
    fn calls(&self) -> usize {
        self.way.0.calls.swap(0, Ordering::Relaxed)
    }

    fn cut_off(&self, is_cut_off: bool) {
        self.way.0.is_cut_off.store(is_cut_off, Ordering::Relaxed);
    }

    async fn get(&self, user: UserId) -> Result<Arc<User>> {
        self.directory.get(self.id(), user).await
    }

    async fn resolve(&self, reference: &str) -> Result<Arc<User>> {
        self.directory.resolve(self.id(), "sender", reference).await
    }

    async fn member(&self, name: &str) -> UserId {
        let new = NewMember {
            username: name.into(),
            email: format!("{name}@club.example"),
            display_name: String::new(),
            first_name: String::new(),
            last_name: String::new(),
            role: Role::Member,
            password: None,
        };
        let (user, _) = self.identity.add_member(self.id(), new).await.unwrap();
        user.id.parse().unwrap()
    }

    /// Changes a user in identity's database, and sends no signal.
    async fn change(&self, user: UserId, what: &str) {
        let file = self.files.path().join("identity.db");
        let database = sea_orm::Database::connect(format!("sqlite://{}", file.display()));
        let change = format!("UPDATE users SET {what} WHERE id = '{user}'");
        let changed = database.await.unwrap().execute_unprepared(&change).await;
        assert_eq!(changed.unwrap().rows_affected(), 1);
    }

    fn signal(&self, user: UserId) {
        let community = self.id();
        self.signals.send(SessionChanged { community, user });
    }
}

/// Identity behind its access layer, as another service calls it.
fn peer(identity: &Identity, way: &Way) -> Peer {
    let mut rpcs = Rpcs::default();
    identity.add_services(&mut rpcs);
    let tokens = PeerTokens::new(SECRET);
    let unlimited = RateLimit::per_second(0);
    let guard = Guard::new(identity.credential_source(), unlimited, &Signals::default());
    let access = AccessLayer::new(guard, RpcTable::load().unwrap(), tokens.clone());
    let served = around(access).layer(rpcs.routes().prepare());
    tokens.sign_calls(Peer::in_process(around(way.clone()).layer(served)))
}

#[track_caller]
fn expect_reason<T: std::fmt::Debug>(answer: Result<T>, wanted: Reason) {
    assert_eq!(
        answer.map_err(|error: Error| error.reason()).unwrap_err(),
        wanted
    );
}

#[tokio::test]
async fn identity_is_asked_once_however_many_ask_and_again_only_later() {
    let club = Fixture::new().await;
    let (directory, id) = (&club.directory, club.id());
    for _ in 0..2 {
        let users = join_all((0..CROWD).map(|_| club.get(club.owner))).await;
        assert!(
            users
                .iter()
                .all(|user| user.as_ref().unwrap().username == "olga")
        );
        let names = join_all((0..CROWD).map(|_| directory.community_name(id))).await;
        assert!(names.iter().all(|name| &**name.as_ref().unwrap() == "Club"));
        let bots = join_all((0..CROWD).map(|_| directory.bot(id))).await;
        assert!(bots.iter().all(|bot| bot.as_ref().unwrap().bot));
        let email = "olga@club.example";
        let users = join_all((0..CROWD).map(|_| club.resolve(email))).await;
        assert!(
            users
                .iter()
                .all(|user| user.as_ref().unwrap().id == club.owner)
        );
    }
    assert_eq!(club.calls(), 4, "one of each kind");

    tokio::time::pause();
    tokio::time::advance(LIFE).await;
    tokio::time::resume();
    club.get(club.owner).await.unwrap();
    assert_eq!(club.calls(), 1, "what is cached is not believed for ever");
}

#[tokio::test]
async fn a_signal_removes_the_user_whom_it_names_and_missed_signals_remove_all() {
    let club = Fixture::new().await;
    let ada = club.member("ada").await;
    for user in [club.owner, ada] {
        club.get(user).await.unwrap();
    }
    club.change(ada, "display_name = 'Ada Lovelace'").await;
    club.calls();
    assert_eq!(club.get(ada).await.unwrap().display_name, "ada");
    club.signal(ada);
    assert_eq!(club.get(ada).await.unwrap().display_name, "Ada Lovelace");
    club.get(club.owner).await.unwrap();
    assert_eq!(club.calls(), 1, "nobody else has changed");

    club.directory.community_name(club.id()).await.unwrap();
    club.resolve("ada").await.unwrap();
    club.calls();
    club.signals.send_missed();
    club.get(club.owner).await.unwrap();
    club.directory.community_name(club.id()).await.unwrap();
    club.resolve("ada").await.unwrap();
    assert_eq!(club.calls(), 3, "all may have changed");
}

#[tokio::test]
async fn who_is_suspended_is_shown_and_cannot_be_named() {
    let club = Fixture::new().await;
    let ada = club.member("ada").await;
    club.resolve("ada").await.unwrap();
    club.change(ada, "status = 2").await;
    club.signal(ada);
    expect_reason(club.resolve("ada").await, Reason::UserNotFound);
    assert!(!club.get(ada).await.unwrap().active);
    let both = ["olga", "ada"].map(str::to_owned);
    let found = club
        .directory
        .resolve_all(club.id(), "participants", &both)
        .await;
    expect_reason(found, Reason::UserNotFound);
}

#[tokio::test]
async fn who_is_not_there_is_remembered_by_id_and_looked_for_by_name() {
    let club = Fixture::new().await;
    let nobody = UserId::generate();
    expect_reason(club.get(nobody).await, Reason::UserNotFound);
    expect_reason(club.get(nobody).await, Reason::UserNotFound);
    assert_eq!(club.calls(), 1, "no id is given twice");
    expect_reason(club.resolve("ada").await, Reason::UserNotFound);
    let ada = club.member("ada").await;
    assert_eq!(
        club.resolve("ada").await.unwrap().id,
        ada,
        "a name may be taken later"
    );
}

#[tokio::test]
async fn many_are_asked_for_in_batches_and_only_those_who_are_unknown() {
    let club = Fixture::new().await;
    let ada = club.member("ada").await;
    club.get(ada).await.unwrap();
    club.calls();
    let nobody = (0..2 * BATCH).map(|_| UserId::generate());
    let ids: Vec<_> = nobody.chain([club.owner, ada]).collect();
    for calls in [3, 0] {
        let found = club.directory.get_all(club.id(), ids.clone()).await;
        let found: HashSet<_> = found.unwrap().into_keys().collect();
        assert_eq!(found, HashSet::from([club.owner, ada]));
        assert_eq!(club.calls(), calls);
    }
    expect_reason(club.get(ids[0]).await, Reason::UserNotFound);
    assert_eq!(club.calls(), 0);
}

#[tokio::test]
async fn identity_is_not_asked_for_what_cannot_mean_anybody() {
    let club = Fixture::new().await;
    let long = "a".repeat(321);
    expect_reason(club.resolve(&long).await, Reason::UserNotFound);
    let found = club
        .directory
        .resolve_all(club.id(), "participants", &[long])
        .await;
    expect_reason(found, Reason::UserNotFound);
    expect_reason(club.resolve("ada\0").await, Reason::InvalidValue);
    let found = club
        .directory
        .resolve_all(club.id(), "participants", &[])
        .await;
    assert!(found.unwrap().is_empty());
    assert_eq!(club.calls(), 0);
}

#[tokio::test]
async fn while_identity_is_away_who_is_known_is_known_and_no_failure_is_remembered() {
    let club = Fixture::new().await;
    let ada = club.member("ada").await;
    club.get(club.owner).await.unwrap();
    club.cut_off(true);
    club.get(club.owner).await.unwrap();
    expect_reason(club.get(ada).await, Reason::Unreachable);
    expect_reason(club.resolve("ada").await, Reason::Unreachable);
    let name = club.directory.community_name(club.id()).await;
    expect_reason(name, Reason::Unreachable);
    club.cut_off(false);
    assert_eq!(club.get(ada).await.unwrap().username, "ada");
    assert_eq!(club.resolve("ada").await.unwrap().id, ada);
    let name = club.directory.community_name(club.id()).await;
    assert_eq!(&*name.unwrap(), "Club");
}

#[tokio::test]
async fn communities_share_nothing() {
    let club = Fixture::new().await;
    let new = NewCommunity {
        name: "Neighbour".into(),
        owner_email: "olga@neighbour.example".into(),
    };
    let neighbour = club.identity.bootstrap(new).await.unwrap();
    club.get(club.owner).await.unwrap();
    let found = club.directory.get(neighbour.community_id, club.owner).await;
    expect_reason(found, Reason::UserNotFound);
    club.resolve("olga").await.unwrap();
    let olga = club
        .directory
        .resolve(neighbour.community_id, "sender", "olga")
        .await;
    assert_eq!(olga.unwrap().id.to_string(), neighbour.owner.id);
    let owner = club.directory.owner(club.id()).await.unwrap();
    assert_eq!(owner.id, club.owner);
}

#[tokio::test]
async fn the_bot_is_found_by_its_id_and_is_no_participant() {
    let club = Fixture::new().await;
    let bot = club.directory.bot(club.id()).await.unwrap();
    assert_eq!(club.get(bot.id).await.unwrap(), bot);
    let found = [bot.id.to_string()];
    let found = club
        .directory
        .resolve_all(club.id(), "participants", &found)
        .await;
    expect_reason(found, Reason::UserNotFound);
}

#[tokio::test]
async fn a_reference_of_a_list_is_named_and_the_longest_name_is_found() {
    let club = Fixture::new().await;
    for (reference, reason) in [
        ("nobody", Reason::UserNotFound),
        ("a\0", Reason::InvalidValue),
    ] {
        let two = ["olga".to_owned(), reference.to_owned()];
        let refused = club.directory.resolve_all(club.id(), "participants", &two);
        let refused = refused.await.unwrap_err();
        assert_eq!(refused.reason(), reason);
        assert_eq!(refused.violations()[0].field, "participants[1]");
        assert!(
            refused.message().starts_with("participants[1]"),
            "{refused}"
        );
    }
    // In bytes, the longest name is longer than the longest address.
    let long = "\u{20000}".repeat(100);
    let named = NewMember {
        username: long.clone(),
        email: "long@club.example".into(),
        display_name: String::new(),
        first_name: String::new(),
        last_name: String::new(),
        role: Role::Member,
        password: None,
    };
    club.identity.add_member(club.id(), named).await.unwrap();
    assert_eq!(club.resolve(&long).await.unwrap().username, long);
}
