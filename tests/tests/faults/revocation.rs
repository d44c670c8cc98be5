//! A revoked credential is let in nowhere for longer than a second, whatever the broker does.

use std::time::{Duration, Instant};

use futures::future::join_all;
use guildhall_catalog::{GATEWAY, IDENTITY, MESSAGING};
use guildhall_proto::messaging::v1::{
    ListMessagesRequest, message_service_client::MessageServiceClient,
};
use guildhall_testkit::{
    Cluster, Mode, Plan, Replicas, Rest,
    grpc::{Services, connect, signed},
};
use guildhall_tests::{Credential, Keys, bus, key};
use serde_json::json;
use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{MissedTickBehavior, interval, sleep},
};
use tonic::{Code, transport::Channel};

/// How long a revoked credential may be let in.
const PROMISE: Duration = Duration::from_secs(1);
/// Each process sees a credential twenty times a second …
const EVERY: Duration = Duration::from_millis(50);
/// … before it is revoked, so that it is remembered, …
const BEFORE: usize = 10;
/// … and afterwards, until nobody may remember it any more.
const AFTER: Duration = Duration::from_millis(2000);
/// How long a credential may take to be let in everywhere.
const LONG: Duration = Duration::from_secs(30);

/// What is revoked.
#[derive(Debug, Clone, Copy)]
enum Kind {
    CommunityKey,
    UserKey,
    /// By the operator's command, which is a process of its own.
    SendbirdToken,
    /// All of its user's, likewise.
    Jwt,
}

const KINDS: [Kind; 4] = [
    Kind::CommunityKey,
    Kind::UserKey,
    Kind::SendbirdToken,
    Kind::Jwt,
];

/// A credential that is in use.
#[derive(Debug, Clone)]
struct Used {
    rest: Credential,
    grpc: String,
    /// A call over REST that it is good for.
    path: String,
    channel: String,
}

/// Where it is used.
#[derive(Debug, Clone)]
enum EntryPoint {
    Gateway(Rest),
    Messaging(Channel),
}

impl EntryPoint {
    /// Whether the credential is let in.
    async fn lets_in(&self, used: &Used) -> bool {
        match self {
            Self::Gateway(rest) => {
                let answer = used.rest.sign(rest.get(&used.path)).send().await;
                assert!(matches!(answer.status, 200 | 400 | 401), "{answer:?}");
                answer.status == 200
            }
            Self::Messaging(channel) => {
                let request = ListMessagesRequest {
                    channel: used.channel.clone(),
                    page_size: 1,
                    ..Default::default()
                };
                let mut messages = MessageServiceClient::new(channel.clone());
                match messages.list_messages(signed(request, &used.grpc)).await {
                    Ok(_) => true,
                    Err(status) => {
                        assert_eq!(status.code(), Code::Unauthenticated, "{status:?}");
                        false
                    }
                }
            }
        }
    }

    /// Uses a credential until told to stop.
    fn sees(self, used: Used, stop: watch::Receiver<bool>) -> User {
        let (let_in, known) = watch::channel(0);
        let uses = tokio::spawn(async move {
            let mut uses = Uses::default();
            let mut ticks = interval(EVERY);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            while !*stop.borrow() {
                ticks.tick().await;
                let began = Instant::now();
                if self.lets_in(&used).await {
                    uses.last_let_in = Some(began);
                    let_in.send_modify(|count| *count += 1);
                }
                uses.count += 1;
            }
            uses
        });
        User { known, uses }
    }
}

/// Who uses a credential at one entry point.
struct User {
    /// How often it was let in.
    known: watch::Receiver<usize>,
    uses: JoinHandle<Uses>,
}

/// What an entry point said to a credential.
#[derive(Debug, Default)]
struct Uses {
    count: usize,
    last_let_in: Option<Instant>,
}

/// A cluster of two of each, and everybody who lets callers in.
struct Community {
    cluster: Cluster,
    entry_points: Vec<EntryPoint>,
    keys: Keys,
}

impl Community {
    async fn start(broker: bool) -> Self {
        let cluster = Cluster::start_with(Plan {
            replicas: Replicas::with(&[(IDENTITY, 2), (MESSAGING, 2), (GATEWAY, 2)]),
            proxies: true,
            broker,
            ..Plan::default()
        })
        .await;
        let gateways = cluster[GATEWAY]
            .iter()
            .map(|gateway| Rest::new(gateway.url()));
        let mut entry_points: Vec<_> = gateways.map(EntryPoint::Gateway).collect();
        for replica in &cluster[MESSAGING] {
            entry_points.push(EntryPoint::Messaging(connect(replica.url()).await));
        }
        // Keys are made and revoked at the first replica of identity.
        let services = Services::at(&connect(cluster[IDENTITY][0].url()).await);
        let keys = Keys::new(services, &cluster.demo().user("johndoe").jwt);
        Self {
            cluster,
            entry_points,
            keys,
        }
    }

    /// A new credential, how it is presented, and its id.
    async fn credential(&self, kind: Kind) -> (Used, key::MadeKey) {
        let demo = self.cluster.demo();
        let channel = demo.channel("general").to_owned();
        let made = match kind {
            Kind::CommunityKey => self.keys.community(key::spec(&["getMessages"])).await,
            Kind::UserKey => self.keys.user(key::spec(&["getMessages"])).await,
            Kind::SendbirdToken => self.token().await,
            Kind::Jwt => self.jwt().await,
        };
        let used = match kind {
            Kind::CommunityKey | Kind::UserKey => Used {
                rest: Credential::Bearer(made.text.clone()),
                grpc: format!("Bearer {}", made.text),
                path: format!("/v1/messages?channel_id={channel}&count=1"),
                channel,
            },
            Kind::Jwt => Used {
                rest: Credential::Bearer(made.text.clone()),
                grpc: format!("Bearer {}", made.text),
                path: format!(
                    "/api/chat/projects/{}/chats/{}/messages",
                    demo.mudbase.project_id, demo.mudbase.chat_id
                ),
                channel,
            },
            Kind::SendbirdToken => Used {
                rest: Credential::SendbirdToken(made.text.clone()),
                grpc: format!("SendbirdToken {}", made.text),
                path: format!(
                    "/v3/group_channels/{}/messages/{}",
                    demo.sendbird.channel_url, demo.sendbird.message_id
                ),
                channel,
            },
        };
        (used, made)
    }

    async fn token(&self) -> key::MadeKey {
        let made = self.sendbird_token(&["create"], &[]).await;
        let made: serde_json::Value = serde_json::from_str(&made).unwrap();
        key::MadeKey {
            id: made["id"].as_str().unwrap().to_owned(),
            text: made["apiToken"].as_str().unwrap().to_owned(),
        }
    }

    /// A new JWT, by the id of its user.
    async fn jwt(&self) -> key::MadeKey {
        let demo = self.cluster.demo();
        let user = demo.user("ada");
        let login = json!({ "email": user.email, "password": user.password });
        let call = self.cluster.rest().post("/v1/auth/login");
        let call = call.system_key(&demo.system_api_key).json(&login);
        let login = call.send().await.expect(200);
        key::MadeKey {
            id: user._id.clone(),
            text: login["body"]["token"].as_str().unwrap().to_owned(),
        }
    }

    async fn sendbird_token(&self, command: &[&str], id: &[&str]) -> String {
        self.command(&[&["sendbird-token"], command].concat(), id)
            .await
    }

    async fn command(&self, command: &[&str], id: &[&str]) -> String {
        let community = self.cluster.demo().community_id;
        let community = ["--community", community.as_str()];
        let args = [command, &community, id].concat();
        let output = self.cluster.command(&args).await;
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{error}");
        String::from_utf8(output.stdout).unwrap()
    }

    async fn revoke(&self, kind: Kind, made: &key::MadeKey) {
        match kind {
            Kind::CommunityKey | Kind::UserKey => self.keys.revoke(made).await,
            Kind::SendbirdToken => {
                self.sendbird_token(&["revoke"], &[&made.id]).await;
            }
            Kind::Jwt => {
                let of_user = ["--user", &made.id];
                self.command(&["sessions", "revoke"], &of_user).await;
            }
        }
    }

    /// Revokes a credential of each kind, all of which everybody lets in all the time, after
    /// `trouble`, and says for how long each was let in.
    async fn revoke_in_use(&mut self, case: &str, trouble: Option<Trouble>) {
        let (stop, stopped) = watch::channel(false);
        let mut credentials = Vec::new();
        for kind in KINDS {
            let (used, made) = self.credential(kind).await;
            let entry_points = self.entry_points.iter().cloned();
            let users =
                entry_points.map(|entry_point| entry_point.sees(used.clone(), stopped.clone()));
            credentials.push((kind, made, users.collect::<Vec<_>>()));
        }
        for user in credentials.iter_mut().flat_map(|(_, _, users)| users) {
            let known = user.known.wait_for(|count| *count >= BEFORE);
            let known = tokio::time::timeout(LONG, known).await.map(drop);
            known.expect("it is let in everywhere");
        }
        if let Some(trouble) = trouble {
            trouble.make(&mut self.cluster).await;
        }
        let revocations = credentials.iter().map(async |(kind, made, _)| {
            self.revoke(*kind, made).await;
            Instant::now()
        });
        let revoked_at = join_all(revocations).await;
        sleep(AFTER).await;
        stop.send_replace(true);
        for ((kind, _, users), revoked_at) in credentials.into_iter().zip(revoked_at) {
            expect_let_in_nowhere(&format!("{case}, {kind:?}"), users, revoked_at).await;
        }
    }

    /// All kinds are revoked right after `trouble` began, which then ends.
    async fn revoke_right_after(&mut self, case: &str, trouble: Trouble) {
        bus::is_whole(&self.cluster).await;
        self.revoke_in_use(case, Some(trouble)).await;
        trouble.end(&mut self.cluster).await;
    }
}

/// A credential that these have used was let in for no longer than promised.
async fn expect_let_in_nowhere(case: &str, users: Vec<User>, revoked_at: Instant) {
    let seen = join_all(users.into_iter().map(|user| user.uses)).await;
    let (mut longest, mut uses) = (Duration::ZERO, 0);
    for seen in seen.into_iter().map(Result::unwrap) {
        let last = seen.last_let_in.expect("it was let in before");
        longest = longest.max(last.saturating_duration_since(revoked_at));
        uses += seen.count;
    }
    println!("{case}: {uses} uses, let in for {longest:.0?} after it was revoked");
    assert!(longest <= PROMISE, "{case}: {longest:?}");
}

/// What happens to the broker just before the revocation.
#[derive(Debug, Clone, Copy)]
enum Trouble {
    Killed,
    StandsStill,
    /// It does not reach one of the gateways.
    GatewayCutOff,
    /// It does not reach the replica of identity that revokes.
    IdentityCutOff,
}

impl Trouble {
    async fn make(self, cluster: &mut Cluster) {
        match self {
            Self::Killed => cluster.nats.kill9().await,
            Self::StandsStill => cluster.nats.pause().await,
            Self::GatewayCutOff => cluster[GATEWAY][0].proxies().broker.set(Mode::Blackhole),
            Self::IdentityCutOff => cluster[IDENTITY][0].proxies().broker.set(Mode::Blackhole),
        }
    }

    async fn end(self, cluster: &mut Cluster) {
        match self {
            Self::Killed => cluster.nats.start_again().await,
            Self::StandsStill => cluster.nats.resume().await,
            Self::GatewayCutOff => cluster[GATEWAY][0].proxies().broker.set(Mode::Pass),
            Self::IdentityCutOff => cluster[IDENTITY][0].proxies().broker.set(Mode::Pass),
        }
    }
}

#[tokio::test]
async fn with_the_broker_and_when_it_dies() {
    let mut community = Community::start(true).await;
    bus::is_whole(&community.cluster).await;
    community.revoke_in_use("broker there", None).await;
    community
        .revoke_right_after("broker killed", Trouble::Killed)
        .await;
    community
        .revoke_right_after("broker standing still", Trouble::StandsStill)
        .await;
}

#[tokio::test]
async fn with_a_line_to_the_broker_that_swallows_everything() {
    let mut community = Community::start(true).await;
    community
        .revoke_right_after("a gateway cut off from the broker", Trouble::GatewayCutOff)
        .await;
    community
        .revoke_right_after("identity cut off from the broker", Trouble::IdentityCutOff)
        .await;
}

#[tokio::test]
async fn with_the_broker_away_from_the_start() {
    let mut community = Community::start(false).await;
    community.revoke_in_use("no broker", None).await;
}
