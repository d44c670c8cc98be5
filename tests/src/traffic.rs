//! Clients at work while something goes wrong, and what became of each of their requests.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use futures::future::BoxFuture;
use guildhall_catalog::{GATEWAY, MESSAGING};
use guildhall_proto::messaging::v1::{
    ListMessagesRequest, SendMessageRequest, message_service_client::MessageServiceClient,
};
use guildhall_testkit::{
    Answer, Cluster, Demo, Rest,
    grpc::{connect, signed},
};
use serde_json::json;
use tokio::{sync::watch, task::JoinHandle, time::timeout};
use tonic::{Code, Status, transport::Channel};
use tonic_types::StatusExt;

use crate::figures::{Fate, Record, Records};

/// Longer than any answer may take: the services end every call after 30 seconds.
const TIMEOUT: Duration = Duration::from_secs(40);

/// How long a client rests after an answer, and after a refusal.
const REST: Duration = Duration::from_millis(20);
const REST_REFUSED: Duration = Duration::from_millis(200);

/// The channel that messages are sent to, and with what.
#[derive(Debug, Clone)]
pub struct Room {
    /// The channel's id.
    pub channel: String,
    /// A community key.
    pub key: String,
}

/// Where a client asks.
#[derive(Debug, Clone)]
pub enum EntryPoint {
    /// A gateway.
    Rest(Rest),
    /// A replica of messaging.
    Grpc(Channel),
}

/// A request, made of its number.
type Act = Arc<dyn Fn(u64) -> BoxFuture<'static, Fate> + Send + Sync>;

/// Clients that work until they are told to stop.
#[derive(Debug)]
pub struct Traffic {
    room: Room,
    records: watch::Sender<Vec<Record>>,
    stop: watch::Sender<bool>,
    clients: Vec<JoinHandle<()>>,
}

/// One of the clients.
struct Client {
    number: usize,
    via: &'static str,
    act: Act,
    /// The same request again until it succeeds.
    repeats: bool,
    records: watch::Sender<Vec<Record>>,
    stop: watch::Receiver<bool>,
}

impl Traffic {
    /// No clients yet.
    #[must_use]
    pub fn in_room(room: &Room) -> Self {
        Self {
            room: room.clone(),
            records: watch::Sender::new(Vec::new()),
            stop: watch::Sender::new(false),
            clients: Vec::new(),
        }
    }

    /// `count` clients that send each message once, without an Idempotency-Key.
    pub fn sends(&mut self, via: &'static str, entry_point: &EntryPoint, count: usize) {
        self.writers(via, entry_point, count, false);
    }

    /// `count` clients that repeat each message with its Idempotency-Key until it is stored.
    pub fn keyed_sends(&mut self, via: &'static str, entry_point: &EntryPoint, count: usize) {
        self.writers(via, entry_point, count, true);
    }

    fn writers(&mut self, via: &'static str, entry_point: &EntryPoint, count: usize, keyed: bool) {
        for _ in 0..count {
            let (entry_point, room, name) =
                (entry_point.clone(), self.room.clone(), self.clients.len());
            let act = move |n| -> BoxFuture<'static, Fate> {
                let (entry_point, room) = (entry_point.clone(), room.clone());
                let text = format!("{via} client {name} message {n}");
                Box::pin(
                    async move { entry_point.send(&room, &text, keyed.then_some(&text)).await },
                )
            };
            self.client(via, Arc::new(act), keyed);
        }
    }

    /// `count` clients that list the newest messages.
    pub fn reads(&mut self, via: &'static str, entry_point: &EntryPoint, count: usize) {
        for _ in 0..count {
            let (entry_point, room) = (entry_point.clone(), self.room.clone());
            let act = move |_| -> BoxFuture<'static, Fate> {
                let (entry_point, room) = (entry_point.clone(), room.clone());
                Box::pin(async move { entry_point.list(&room).await })
            };
            self.client(via, Arc::new(act), false);
        }
    }

    /// A client that logs in with its password, again and again.
    pub fn logins(&mut self, via: &'static str, rest: &Rest, demo: &Demo) {
        let (rest, key) = (rest.clone(), demo.system_api_key.clone());
        let ada = demo.user("ada");
        let body = json!({ "email": ada.email, "password": ada.password });
        let act = move |_| -> BoxFuture<'static, Fate> {
            let call = rest.post("/v1/auth/login").system_key(&key).json(&body);
            Box::pin(async move { fate_of(call.try_send().await, |_| Fate::Read) })
        };
        self.client(via, Arc::new(act), false);
    }

    fn client(&mut self, via: &'static str, act: Act, repeats: bool) {
        let client = Client {
            number: self.clients.len(),
            via,
            act,
            repeats,
            records: self.records.clone(),
            stop: self.stop.subscribe(),
        };
        self.clients.push(tokio::spawn(client.work()));
    }

    /// Waits until `count` more requests were answered right.
    pub async fn goes_on(&self, count: usize) {
        let right = |records: &[Record]| records.iter().filter(|record| record.is_right()).count();
        let mut records = self.records.subscribe();
        let wanted = right(&records.borrow()) + count;
        let reached = records.wait_for(|records| right(records) >= wanted);
        let reached = timeout(TIMEOUT * 2, reached).await.map(drop);
        reached.expect("requests are answered again");
    }

    /// Waits until `count` requests in a row were answered right: everybody has warmed up.
    pub async fn is_steady(&self, count: usize) {
        let mut records = self.records.subscribe();
        let steady = records.wait_for(|records| {
            let newest = records.iter().rev().take(count);
            records.len() >= count && newest.into_iter().all(Record::is_right)
        });
        let reached = timeout(TIMEOUT * 2, steady).await.map(drop);
        reached.expect("requests are answered right");
    }

    /// Waits until each client was answered right `count` times in a row, to what it asked from now
    /// on: nobody is stuck in what went wrong before.
    pub async fn everybody_goes_on(&self, count: usize) {
        let mut records = self.records.subscribe();
        let (since, known) = (Instant::now(), records.borrow().len());
        let all = records.wait_for(|records| {
            let mut in_a_row = vec![0; self.clients.len()];
            for record in records[known..]
                .iter()
                .filter(|record| record.began >= since)
            {
                let right = &mut in_a_row[record.client];
                *right = if record.is_right() { *right + 1 } else { 0 };
            }
            in_a_row.iter().all(|right| *right >= count)
        });
        let reached = timeout(TIMEOUT * 2, all).await.map(drop);
        reached.expect("everybody is answered right again");
    }

    /// Lets the clients finish what they have begun.
    pub async fn end(self) -> Records {
        self.stop.send_replace(true);
        for client in self.clients {
            client.await.expect("a client that does not panic");
        }
        Records::new(self.room, self.records.send_replace(Vec::new()))
    }
}

impl Client {
    async fn work(mut self) {
        let mut n = 0;
        while !*self.stop.borrow() {
            let began = Instant::now();
            let fate = timeout(TIMEOUT, (self.act)(n)).await;
            let fate = fate.unwrap_or_else(|_| Fate::Wrong("no answer at all".into()));
            let record = Record {
                client: self.number,
                via: self.via,
                began,
                took: began.elapsed(),
                fate,
            };
            let right = record.is_right();
            self.records.send_modify(|records| records.push(record));
            n += u64::from(right || !self.repeats);
            let rest = if right { REST } else { REST_REFUSED };
            let _ = timeout(rest, self.stop.changed()).await;
        }
    }
}

impl Room {
    /// A new channel of the demo community.
    pub async fn open(cluster: &Cluster) -> Self {
        let demo = cluster.demo();
        let body = json!({ "topic": "Busy", "channelType": "open" });
        let call = cluster.rest().post("/v1/channels").json(&body);
        let made = call.system_key(&demo.system_api_key).send().await;
        Self {
            channel: text_of(&made.expect(200)["body"]["_id"]),
            key: demo.api_key,
        }
    }
}

impl EntryPoint {
    /// A gateway.
    #[must_use]
    pub fn gateway(cluster: &Cluster, replica: usize) -> Self {
        Self::Rest(Rest::new(cluster[GATEWAY][replica].url()))
    }

    /// A replica of messaging, past its proxy.
    pub async fn messaging(cluster: &Cluster, replica: usize) -> Self {
        Self::Grpc(connect(cluster[MESSAGING][replica].url()).await)
    }

    async fn send(&self, room: &Room, text: &str, key: Option<&String>) -> Fate {
        match self {
            Self::Rest(rest) => {
                let body = json!({ "channelId": room.channel, "message": text, "sender": "ada" });
                let call = rest.post("/v1/messages/send").bearer(&room.key).json(&body);
                let call = match key {
                    Some(key) => call.idempotency_key(key),
                    None => call,
                };
                fate_of(call.try_send().await, |answer| Fate::Stored {
                    id: text_of(&answer.json()["data"]["messageId"]),
                    text: text.to_owned(),
                })
            }
            Self::Grpc(channel) => {
                let request = SendMessageRequest {
                    channel: room.channel.clone(),
                    sender: "ada".into(),
                    text: text.to_owned(),
                    ..Default::default()
                };
                let mut request = signed(request, &format!("Bearer {}", room.key));
                if let Some(key) = key {
                    let key = key.parse().expect("a printable key");
                    request.metadata_mut().insert("idempotency-key", key);
                }
                let mut messages = MessageServiceClient::new(channel.clone());
                match messages.send_message(request).await {
                    Ok(answer) => Fate::Stored {
                        id: answer.into_inner().message.expect("a message").id,
                        text: text.to_owned(),
                    },
                    Err(status) => refusal(&status),
                }
            }
        }
    }

    async fn list(&self, room: &Room) -> Fate {
        let mut ids: Vec<String> = match self {
            Self::Rest(rest) => {
                let path = format!("/v1/messages?channel_id={}&count=20", room.channel);
                let answer = rest.get(&path).bearer(&room.key).try_send().await;
                let mut ids = Vec::new();
                let fate = fate_of(answer, |answer| {
                    let list = answer.json()["data"]["messages"].take();
                    let messages = list.as_array().expect("a list").iter();
                    ids = messages.map(|message| text_of(&message["id"])).collect();
                    Fate::Read
                });
                if fate != Fate::Read {
                    return fate;
                }
                ids
            }
            Self::Grpc(channel) => {
                let request = ListMessagesRequest {
                    channel: room.channel.clone(),
                    page_size: 20,
                    ..Default::default()
                };
                let request = signed(request, &format!("Bearer {}", room.key));
                let mut messages = MessageServiceClient::new(channel.clone());
                match messages.list_messages(request).await {
                    Ok(answer) => {
                        let messages = answer.into_inner().messages.into_iter();
                        messages.map(|message| message.id).collect()
                    }
                    Err(status) => return refusal(&status),
                }
            }
        };
        let count = ids.len();
        ids.sort_unstable();
        ids.dedup();
        if ids.len() == count {
            Fate::Read
        } else {
            Fate::Wrong("a list with a message twice".into())
        }
    }
}

/// What an answer of the gateway comes to: `right` says it of a 200.
fn fate_of<E: fmt::Display>(
    answer: Result<Answer, E>,
    right: impl FnOnce(&Answer) -> Fate,
) -> Fate {
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => return Fate::Wrong(format!("no answer: {error}")),
    };
    let hint = answer.header("retry-after");
    let hint = hint.and_then(|seconds| seconds.parse::<u64>().ok());
    match answer.status {
        200 => right(&answer),
        409 => Fate::InFlight,
        503 if hint.is_some() => Fate::Refused(answer.body),
        status => Fate::Wrong(format!("{status} {hint:?} {}", answer.body)),
    }
}

/// What a refusal of a service comes to.
#[must_use]
pub fn refusal(status: &Status) -> Fate {
    let details = status.get_error_details();
    let reason = details.error_info().map(|info| info.reason.clone());
    let hint = details.retry_info().and_then(|info| info.retry_delay);
    match (status.code(), hint) {
        (Code::Unavailable | Code::DeadlineExceeded, Some(_)) => {
            Fate::Refused(reason.unwrap_or_default())
        }
        (Code::AlreadyExists, _) if reason.as_deref() == Some("IDEMPOTENCY_IN_FLIGHT") => {
            Fate::InFlight
        }
        _ => Fate::Wrong(format!("{status:?}")),
    }
}

fn text_of(value: &serde_json::Value) -> String {
    value.as_str().expect("a text").to_owned()
}
