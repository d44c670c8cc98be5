//! Replicas restarted one after the other under load: no accepted request fails.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use guildhall_catalog::GATEWAY;
use guildhall_testkit::{Cluster, Plan, Replicas, Rest};
use guildhall_tests::{Acknowledged, Ledger, Outcome};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::{mpsc, watch},
    task::JoinSet,
};

const CLIENTS: usize = 64;
/// Messages between two restarts.
const PER_RESTART: usize = 200;
/// How often a load balancer asks a gateway whether it is ready.
const PROBE: Duration = Duration::from_millis(100);
/// How long a gateway goes on serving after the request to stop.
const DRAIN: Duration = Duration::from_secs(2);
/// How long an answer may take, and how long all must be ready again after a restart.
const ANSWER: Duration = Duration::from_secs(20);
const TIMEOUT: Duration = Duration::from_secs(60);

fn plan(replicas: usize) -> Plan {
    Plan {
        replicas: Replicas::of_each(replicas),
        gateway_args: vec!["--drain-delay".into(), DRAIN.as_secs().to_string()],
        ..Plan::default()
    }
}

/// Tells which gateways are ready, as a load balancer knows it.
async fn probe(gateways: Vec<String>, ready: watch::Sender<Vec<bool>>) {
    let mut rhythm = tokio::time::interval(PROBE);
    loop {
        rhythm.tick().await;
        for (index, gateway) in gateways.iter().enumerate() {
            // A connection of its own: a probe must not hang on one that is about to close.
            let answer = Rest::new(gateway).get("/readyz").try_send().await;
            let is_ready = answer.is_ok_and(|answer| answer.status == 200);
            ready.send_if_modified(|ready| {
                std::mem::replace(&mut ready[index], is_ready) != is_ready
            });
        }
    }
}

/// A client that keeps its connections open, writes without Idempotency-Key and tries nothing
/// twice.
struct Client {
    name: usize,
    channel: String,
    key: String,
    gateways: Vec<Rest>,
    ready: watch::Receiver<Vec<bool>>,
    enough: Arc<AtomicBool>,
    refused: Arc<AtomicU64>,
    stored: mpsc::UnboundedSender<Acknowledged>,
}

impl Client {
    /// What went wrong, message by message.
    async fn run(self) -> Vec<String> {
        let mut failures = Vec::new();
        for n in 0.. {
            if self.enough.load(Ordering::Relaxed) {
                break;
            }
            let text = format!("client {} message {n}", self.name);
            match self.send(n, &text).await {
                Ok(id) => {
                    let writer = self.name;
                    // The test may have failed already.
                    let _ = self.stored.send(Acknowledged { writer, text, id });
                }
                Err(failure) => failures.push(format!("{text}: {failure}")),
            }
        }
        failures
    }

    /// Sends once; only a connection that is refused leads to another gateway.
    async fn send(&self, turn: usize, text: &str) -> Result<String, String> {
        let first = self.gateway(turn);
        let count = self.gateways.len();
        for gateway in (0..count).map(|next| &self.gateways[(first + next) % count]) {
            let body = json!({ "channelId": self.channel, "message": text, "sender": "ada" });
            let call = gateway.post("/v1/messages/send").bearer(&self.key);
            let call = tokio::time::timeout(ANSWER, call.json(&body).try_send());
            let Ok(answer) = call.await else {
                return Err("no answer in time".to_owned());
            };
            match answer {
                Ok(answer) if answer.status == 200 => {
                    let id = answer.json()["data"]["messageId"].take();
                    return Ok(id.as_str().expect("an id").to_owned());
                }
                Ok(answer) => return Err(format!("{} {}", answer.status, answer.body)),
                Err(error) if error.is_connect() => {
                    self.refused.fetch_add(1, Ordering::Relaxed);
                }
                Err(error) => return Err(format!("{error:?}")),
            }
        }
        Err("no gateway takes connections".into())
    }

    /// The one whose turn it is, of those that are ready.
    fn gateway(&self, turn: usize) -> usize {
        let ready = self.ready.borrow();
        let count = self.gateways.len();
        let mut turns = (0..count).map(|next| (self.name + turn + next) % count);
        let turns_first = (self.name + turn) % count;
        turns.find(|gateway| ready[*gateway]).unwrap_or(turns_first)
    }
}

/// The clients and what they have told so far.
struct Load {
    ready: watch::Receiver<Vec<bool>>,
    enough: Arc<AtomicBool>,
    refused: Arc<AtomicU64>,
    arriving: mpsc::UnboundedReceiver<Acknowledged>,
    stored: Vec<Acknowledged>,
    clients: JoinSet<Vec<String>>,
}

impl Load {
    fn start(cluster: &Cluster, channel: &str, ready: &watch::Receiver<Vec<bool>>) -> Self {
        let (stored, arriving) = mpsc::unbounded_channel();
        let (enough, refused) = (Arc::default(), Arc::default());
        let key = cluster.demo().api_key;
        let clients = (0..CLIENTS).map(|name| Client {
            name,
            channel: channel.to_owned(),
            key: key.clone(),
            gateways: cluster[GATEWAY]
                .iter()
                .map(|g| Rest::new(g.url()))
                .collect(),
            ready: ready.clone(),
            enough: Arc::clone(&enough),
            refused: Arc::clone(&refused),
            stored: stored.clone(),
        });
        Self {
            clients: clients.map(Client::run).collect(),
            ready: ready.clone(),
            enough,
            refused,
            arriving,
            stored: Vec::new(),
        }
    }

    /// Waits until all gateways are ready and the clients have written for a while.
    async fn settle(&mut self) {
        let settled = tokio::time::timeout(TIMEOUT, self.settled()).await;
        settled.expect("all ready and at work again in time");
    }

    async fn settled(&mut self) {
        let all = self
            .ready
            .wait_for(|ready| ready.iter().all(|ready| *ready));
        all.await.unwrap();
        while let Ok(stored) = self.arriving.try_recv() {
            self.stored.push(stored);
        }
        for _ in 0..PER_RESTART {
            self.stored.push(self.arriving.recv().await.unwrap());
        }
    }

    /// All that was stored, and all that went wrong.
    async fn finish(mut self) -> (Vec<Acknowledged>, Vec<String>) {
        self.enough.store(true, Ordering::Relaxed);
        let failures = self.clients.join_all().await.concat();
        while let Some(stored) = self.arriving.recv().await {
            self.stored.push(stored);
        }
        (self.stored, failures)
    }
}

#[tokio::test]
async fn no_accepted_request_fails() {
    let mut cluster = Cluster::start_with(plan(2)).await;
    let demo = cluster.demo();
    let room = json!({ "topic": "Rolling", "channelType": "open" });
    let call = cluster.rest().post("/v1/channels").json(&room);
    let made = call.system_key(&demo.system_api_key).send().await;
    let channel = made.expect(200)["body"]["_id"].as_str().unwrap().to_owned();

    let gateways: Vec<_> = cluster[GATEWAY]
        .iter()
        .map(|g| g.url().to_owned())
        .collect();
    let (telling, ready) = watch::channel(vec![true; gateways.len()]);
    let probing = tokio::spawn(probe(gateways, telling));
    let mut load = Load::start(&cluster, &channel, &ready);
    load.settle().await;
    let mut restarts = 0;
    for replica in cluster.replicas_mut() {
        replica.stop().await;
        replica.start().await;
        load.settle().await;
        restarts += 1;
    }
    let refused = load.refused.load(Ordering::Relaxed);
    let (stored, failures) = load.finish().await;
    probing.abort();
    let ledger = Ledger::of(&cluster).await;
    let outcome = ledger.outcome(&[channel], &stored);
    println!(
        "rolling restarts: {restarts}, stored {}, failed {}, refused connections {refused}, \
         lost {}, doubled {}, stored but not answered {}",
        stored.len(),
        failures.len(),
        outcome.lost,
        outcome.doubled,
        outcome.unacknowledged,
    );
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert_eq!(outcome, Outcome::CLEAN);
    ledger.assert_sound();
}

/// An open connection over which one request was answered.
async fn idle_connection(address: &str) -> TcpStream {
    let mut connection = TcpStream::connect(address).await.unwrap();
    let request = format!("GET /healthz HTTP/1.1\r\nHost: {address}\r\n\r\n");
    connection.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"}") {
        assert!(connection.read_buf(&mut answer).await.unwrap() > 0);
    }
    let answer = String::from_utf8(answer).unwrap().to_lowercase();
    assert!(!answer.contains("connection: close"), "{answer}");
    connection
}

#[tokio::test]
async fn a_gateway_that_stops_says_so_first() {
    let mut cluster = Cluster::start_with(plan(1)).await;
    let (demo, rest) = (cluster.demo(), cluster.rest());
    let address = cluster.http().trim_start_matches("http://").to_owned();
    let mut idle = idle_connection(&address).await;
    let begin = Instant::now();
    cluster[GATEWAY][0].terminate().await;

    let mut readiness = rest.get("/readyz").send().await;
    while readiness.status == 200 {
        readiness = rest.get("/readyz").send().await;
    }
    assert_eq!(readiness.expect(503)["status"], "stopping");
    let body = json!({
        "channelId": demo.channel("general"), "message": "Still here", "sender": "ada"
    });
    let call = rest.post("/v1/messages/send").bearer(&demo.api_key);
    let answer = call.json(&body).send().await;
    answer.expect(200);
    assert_eq!(answer.header("connection"), Some("close"));
    assert!(begin.elapsed() < DRAIN, "it was told in time");

    let mut nothing = [0; 1];
    let closed = tokio::time::timeout(2 * DRAIN, idle.read(&mut nothing)).await;
    assert_eq!(closed.expect("closed in time").unwrap(), 0, "no last words");
    assert!(begin.elapsed() >= DRAIN, "closed before the delay was over");
    let status = cluster[GATEWAY][0].wait().await;
    assert!(status.success(), "{status}");
    assert!(begin.elapsed() < 3 * DRAIN, "{:?}", begin.elapsed());
    assert!(TcpStream::connect(&address).await.is_err());
}
