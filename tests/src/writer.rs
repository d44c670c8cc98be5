//! Writers that repeat each message until it is acknowledged, whatever happens meanwhile.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use guildhall_testkit::{Answer, Rest};
use serde_json::json;
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
};

/// How long a writer rests after a refusal.
const PAUSE: Duration = Duration::from_millis(20);
/// How long the platform may take for an answer, whatever it is.
const ANSWER: Duration = Duration::from_secs(20);
/// How long a message may stay without acknowledgement.
const TIMEOUT: Duration = Duration::from_secs(60);
/// Every so many messages, a writer replies to its last one.
const REPLIES: usize = 3;

/// A message that its writer was told is stored.
#[derive(Debug, Clone)]
pub struct Acknowledged {
    /// Who wrote it.
    pub writer: usize,
    /// What it says: nothing else does.
    pub text: String,
    /// The id that the answer gave it.
    pub id: String,
}

/// What the writers went through.
#[derive(Debug, Clone, Copy, Default)]
pub struct Effort {
    /// Tries beyond the first of a message.
    pub repeated: u64,
    /// Messages that were stored although the first try brought no acknowledgement.
    pub replayed: u64,
    /// From the first try of a message to its acknowledgement, at most.
    pub longest: Duration,
}

impl Effort {
    fn and(self, other: Self) -> Self {
        Self {
            repeated: self.repeated + other.repeated,
            replayed: self.replayed + other.replayed,
            longest: self.longest.max(other.longest),
        }
    }
}

/// Writers at work.
#[derive(Debug)]
pub struct Writers {
    address: watch::Sender<String>,
    enough: Arc<AtomicBool>,
    arriving: mpsc::UnboundedReceiver<Acknowledged>,
    acknowledged: Vec<Acknowledged>,
    tasks: JoinSet<Effort>,
}

impl Writers {
    /// Lets `count` writers write as ada to the `channels` in turn, at the gateway at `address`.
    #[must_use]
    pub fn start(count: usize, address: &str, key: &str, channels: &[String]) -> Self {
        let enough = Arc::new(AtomicBool::new(false));
        let (address, place) = watch::channel(address.to_owned());
        let (acknowledged, arriving) = mpsc::unbounded_channel();
        let mut tasks = JoinSet::new();
        for name in 0..count {
            let writer = Writer {
                name,
                channel: channels[name % channels.len()].clone(),
                key: key.to_owned(),
                rest: Rest::new(&place.borrow()),
                address: place.clone(),
                enough: Arc::clone(&enough),
                acknowledged: acknowledged.clone(),
                effort: Effort::default(),
            };
            tasks.spawn(writer.run());
        }
        Self {
            address,
            enough,
            arriving,
            acknowledged: Vec::new(),
            tasks,
        }
    }

    /// Tells them where the gateway is now.
    pub fn move_to(&self, address: &str) {
        self.address.send_replace(address.to_owned());
    }

    /// Waits until `count` more messages than now are acknowledged.
    ///
    /// # Panics
    /// When that takes too long, or no writer is left.
    pub async fn progress(&mut self, count: usize) {
        while let Ok(known) = self.arriving.try_recv() {
            self.acknowledged.push(known);
        }
        for _ in 0..count {
            let next = tokio::time::timeout(TIMEOUT, self.arriving.recv()).await;
            let next = next.expect("progress").expect("writers at work");
            self.acknowledged.push(next);
        }
    }

    /// Lets each finish its message; what was acknowledged, and what it took.
    ///
    /// # Panics
    /// When a writer got an answer that it may not get.
    pub async fn finish(mut self) -> (Vec<Acknowledged>, Effort) {
        self.enough.store(true, Ordering::Relaxed);
        let mut effort = Effort::default();
        while let Some(ended) = self.tasks.join_next().await {
            effort = effort.and(ended.expect("only answers that may be"));
        }
        while let Some(late) = self.arriving.recv().await {
            self.acknowledged.push(late);
        }
        (self.acknowledged, effort)
    }
}

struct Writer {
    name: usize,
    channel: String,
    key: String,
    rest: Rest,
    address: watch::Receiver<String>,
    enough: Arc<AtomicBool>,
    acknowledged: mpsc::UnboundedSender<Acknowledged>,
    effort: Effort,
}

impl Writer {
    async fn run(mut self) -> Effort {
        let mut parent = None;
        for n in 1.. {
            if self.enough.load(Ordering::Relaxed) {
                break;
            }
            let text = format!("writer {} message {n}", self.name);
            let answered = parent.clone().filter(|_| n % REPLIES == 0);
            let id = self.until_acknowledged(&text, answered.as_deref()).await;
            if answered.is_none() {
                parent = Some(id.clone());
            }
            let writer = self.name;
            // The test may have failed already.
            let _ = self.acknowledged.send(Acknowledged { writer, text, id });
        }
        self.effort
    }

    /// The message's id. Its text is its Idempotency-Key, too.
    async fn until_acknowledged(&mut self, text: &str, parent: Option<&str>) -> String {
        let begin = Instant::now();
        loop {
            let answer = self.send(text, parent).await;
            let took = begin.elapsed();
            if let Some(answer) = answer.as_ref().filter(|answer| answer.status == 200) {
                let replayed = answer.header("idempotent-replayed").is_some();
                self.effort.replayed += u64::from(replayed);
                self.effort.longest = self.effort.longest.max(took);
                let id = answer.json()["data"]["messageId"].take();
                return id.as_str().expect("an id").to_owned();
            }
            assert!(took < TIMEOUT, "{text}: {answer:?} after {took:?}");
            self.effort.repeated += 1;
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// An answer that may be, or none, when the connection broke.
    async fn send(&mut self, text: &str, parent: Option<&str>) -> Option<Answer> {
        if self.address.has_changed().unwrap_or(false) {
            self.rest = Rest::new(&self.address.borrow_and_update());
        }
        let call = match parent {
            Some(parent) => self
                .rest
                .post("/v1/messages/reply")
                .json(&json!({ "messageId": parent, "message": text, "sender": "ada" })),
            None => self
                .rest
                .post("/v1/messages/send")
                .json(&json!({ "channelId": self.channel, "message": text, "sender": "ada" })),
        };
        let call = call.bearer(&self.key).idempotency_key(text).try_send();
        let answer = tokio::time::timeout(ANSWER, call).await;
        let answer = answer.expect("an answer in time, whatever it is").ok()?;
        // In flight, or a part of the platform is away.
        assert!(matches!(answer.status, 200 | 409 | 503), "{answer:?}");
        Some(answer)
    }
}
