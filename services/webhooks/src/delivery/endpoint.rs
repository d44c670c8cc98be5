//! Claims what is due for one webhook and attempts it, a few deliveries at a time. It runs as long
//! as something is due.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use guildhall_data::Resource;
use guildhall_runtime::{Error, ErrorKind, Result, Timestamp};
use tokio::{
    sync::Notify,
    task::{JoinError, JoinSet},
    time::sleep,
};

use super::{
    dispatcher::{Dispatch, Key, Running},
    health::{Health, Pace},
    receiver::{Receiver, Unsendable},
    request::OutgoingEvent,
    sender::Attempt,
};
use crate::{
    domain::retry::Verdict,
    store::{
        deliveries::{
            Model, Status,
            due::{self, Wanted},
            outcomes::Outcome,
        },
        outgoing::{self, DisabledReason},
    },
};

/// Without one success for so long, a webhook is disabled (contract: events, "Delivery").
const FAILING: Duration = Duration::from_secs(5 * 24 * 3600);
/// Claims go ahead of attempts by this factor, so that these need not wait for a commit.
const AHEAD: usize = 4;
/// How long a webhook is taken to be as it was read: a change holds for every attempt after that.
const FRESH: Duration = Duration::from_secs(1);
/// Outcomes of an endpoint that wait to be stored, at most.
const STORING: usize = 256;
/// Tries to store an outcome; after the last, the delivery is attempted again when its claim ends.
const TRIES: usize = 10;
/// Rest before another.
const PAUSE: Duration = Duration::from_millis(200);
/// Rest of an endpoint whose webhook or deliveries could not be read.
const REST: Duration = Duration::from_secs(5);

/// A webhook for which something is due.
#[derive(Debug)]
pub(super) struct Endpoint {
    pub key: Key,
    woken: AtomicBool,
    wakes: Notify,
}

impl Endpoint {
    /// One that looks for what is due first of all.
    pub fn new(key: Key) -> Self {
        Self {
            key,
            woken: AtomicBool::new(true),
            wakes: Notify::new(),
        }
    }

    /// Something may be due.
    pub fn wake(&self) {
        self.woken.store(true, Ordering::Release);
        self.wakes.notify_one();
    }

    /// Whether it was woken since it last looked.
    pub fn was_woken(&self) -> bool {
        self.woken.load(Ordering::Acquire)
    }

    fn look(&self) -> bool {
        self.woken.swap(false, Ordering::AcqRel)
    }
}

/// What an endpoint does.
struct Work {
    running: Running,
    health: Health,
    receiver: Option<(outgoing::Model, Arc<Receiver>)>,
    /// When that was read.
    read_at: Instant,
    claimed: VecDeque<Model>,
    /// More may be due than is claimed.
    more: bool,
    sending: JoinSet<Option<(Model, Attempt)>>,
    storing: JoinSet<()>,
}

impl Running {
    /// Runs the endpoint to its end.
    pub async fn run(self) {
        let mut work = Work {
            health: Health::after_failures(0),
            running: self,
            receiver: None,
            read_at: Instant::now(),
            claimed: VecDeque::new(),
            more: false,
            sending: JoinSet::new(),
            storing: JoinSet::new(),
        };
        if let Err(error) = work.run().await {
            let (community, webhook) = work.running.endpoint.key;
            tracing::warn!(%community, %webhook, ?error, "cannot deliver, trying again later");
            work.finish().await;
            tokio::select! {
                () = sleep(REST) => {}
                () = work.running.dispatch.shutdown.started() => {}
            }
        }
    }
}

impl Work {
    async fn run(&mut self) -> Result<()> {
        let dispatch = Arc::clone(&self.running.dispatch);
        let endpoint = Arc::clone(&self.running.endpoint);
        let stopped = dispatch.shutdown.started();
        tokio::pin!(stopped);
        loop {
            if dispatch.shutdown.is_started() {
                self.finish().await;
                return Ok(());
            }
            self.more |= endpoint.look();
            let is_stale = !self.claimed.is_empty() && self.read_at.elapsed() >= FRESH;
            if is_stale || (self.more && self.claimed.len() < self.health.limit) {
                self.claim().await?;
            }
            self.start();
            if self.sending.is_empty() && self.storing.is_empty() && self.claimed.is_empty() {
                if !self.more && self.running.ends() {
                    return Ok(());
                }
                tokio::task::yield_now().await;
                continue;
            }
            tokio::select! {
                Some(sent) = self.sending.join_next() => self.ended(sent).await?,
                Some(_) = self.storing.join_next() => {}
                () = endpoint.wakes.notified() => {}
                () = &mut stopped => {}
            }
        }
    }

    /// Claims what is due, as far as the webhook may be delivered to.
    async fn claim(&mut self) -> Result<()> {
        let Some(webhook) = self.read().await? else {
            self.give_up(due::DISABLED).await?;
            return Ok(());
        };
        let dispatch = &self.running.dispatch;
        let (community, id) = (webhook.community_id, webhook.id);
        let fresh = || Health::after_failures(webhook.consecutive_failures);
        self.health = dispatch.health.get_with(id, fresh);
        let free = (self.health.limit * AHEAD).saturating_sub(self.claimed.len());
        let receiver = match Receiver::open(&webhook, &dispatch.sealer) {
            Ok(receiver) => receiver,
            Err(unsendable) => return self.park(&webhook, &unsendable).await,
        };
        self.receiver = Some((webhook, Arc::new(receiver)));
        self.more = due::is_due(dispatch.database.reader(), community, id).await?;
        if !self.more || free == 0 {
            return Ok(());
        }
        let claimed = dispatch.claims.submit(Wanted {
            community,
            webhook: id,
            limit: free,
            lease: dispatch.timing.lease,
        });
        let claimed = claimed.await?;
        self.more = claimed.len() == free;
        self.claimed.extend(claimed);
        Ok(())
    }

    /// Nothing can be sent to a webhook as it is stored: what waits for it is given up with the
    /// reason, and so is what comes later, until an admin changes it.
    async fn park(&mut self, webhook: &outgoing::Model, unsendable: &Unsendable) -> Result<()> {
        self.receiver = None;
        let parked = self.give_up(&unsendable.to_string()).await?;
        if parked > 0 {
            let dispatch = &self.running.dispatch;
            dispatch.note_parked(webhook, unsendable, parked);
        }
        Ok(())
    }

    /// Gives up some of what waits; how much.
    async fn give_up(&mut self, reason: &str) -> Result<u64> {
        self.give_back().await?;
        let (community, id) = self.running.endpoint.key;
        let database = &self.running.dispatch.database;
        let given_up = due::give_up(database, community, id, reason).await?;
        self.more = given_up == due::STEP;
        Ok(given_up)
    }

    /// The webhook as it is now, if it is on.
    async fn read(&mut self) -> Result<Option<outgoing::Model>> {
        let (community, id) = self.running.endpoint.key;
        self.read_at = Instant::now();
        let reader = self.running.dispatch.database.reader();
        let webhook = outgoing::Entity::find_one(reader, community, id).await?;
        Ok(webhook.filter(|webhook| webhook.enabled))
    }

    /// Begins as many attempts as the endpoint takes.
    fn start(&mut self) {
        let Some((_, receiver)) = &self.receiver else {
            return;
        };
        while self.sending.len() < self.health.limit && self.storing.len() < STORING {
            let Some(delivery) = self.claimed.pop_front() else {
                return;
            };
            let (dispatch, receiver) = (Arc::clone(&self.running.dispatch), Arc::clone(receiver));
            let pace = self.health.pace;
            self.sending
                .spawn(async move { dispatch.send(&receiver, delivery, pace).await });
        }
    }

    /// An attempt has ended; none when there was no time left for it.
    async fn ended(&mut self, sent: Result<Option<(Model, Attempt)>, JoinError>) -> Result<()> {
        let Some((delivery, attempt)) = sent.map_err(Error::internal)? else {
            return Ok(());
        };
        let dispatch = Arc::clone(&self.running.dispatch);
        self.health = self.health.after(attempt.answer.verdict, attempt.duration);
        dispatch.health.insert(delivery.webhook_id, self.health);
        let verdict = attempt.answer.verdict;
        let outcome = outcome(&dispatch, &delivery, attempt);
        let stores = Arc::clone(&dispatch);
        self.storing
            .spawn(async move { stores.store(outcome).await });
        let Some((webhook, _)) = &self.receiver else {
            return Ok(());
        };
        if let Some(reason) = reason_to_disable(webhook, verdict) {
            dispatch.disable(webhook, reason).await?;
            self.give_back().await?;
            self.more = true;
        }
        Ok(())
    }

    /// Ends what is under way and leaves the rest to whoever comes next.
    async fn finish(&mut self) {
        if let Err(error) = self.give_back().await {
            tracing::warn!(?error, "what was claimed waits for the end of the claim");
        }
        while let Some(sent) = self.sending.join_next().await {
            if let Err(error) = self.ended(sent).await {
                tracing::warn!(?error, "an attempt has no consequences");
            }
        }
        while self.storing.join_next().await.is_some() {}
    }

    /// What is claimed and was not begun is due at once.
    async fn give_back(&mut self) -> Result<()> {
        let claimed = std::mem::take(&mut self.claimed);
        due::give_back(&self.running.dispatch.database, claimed.into()).await
    }
}

/// Why a webhook is switched off after an attempt.
fn reason_to_disable(webhook: &outgoing::Model, verdict: Verdict) -> Option<DisabledReason> {
    match verdict {
        Verdict::Gone => Some(DisabledReason::Gone),
        Verdict::Failed(_) if webhook.fails_for(FAILING) => Some(DisabledReason::Failing),
        Verdict::Delivered | Verdict::Failed(_) | Verdict::Unsendable => None,
    }
}

/// Whether an attempt that begins now ends before the claim does; if not, the delivery is due again
/// at its end.
fn has_time(dispatch: &Dispatch, delivery: &Model) -> bool {
    let ends_at = Timestamp::now().plus(dispatch.timing.attempt).as_millis();
    delivery.claimed_until.is_some_and(|until| ends_at <= until)
}

impl Dispatch {
    /// Attempts a delivery as soon as there is a slot for it, if the claim still holds then.
    async fn send(
        &self,
        receiver: &Receiver,
        delivery: Model,
        pace: Pace,
    ) -> Option<(Model, Attempt)> {
        let attempt = self.slots.run(pace, async {
            if !has_time(self, &delivery) {
                return None;
            }
            let _in_flight = self.metrics.begin();
            let event = OutgoingEvent::from(&delivery);
            Some(self.sender.attempt(receiver, event).await)
        });
        let attempt = attempt.await?;
        self.metrics.ended(attempt.answer.verdict, attempt.duration);
        Some((delivery, attempt))
    }

    /// Stores an outcome; when that fails for long, the delivery is attempted again.
    async fn store(&self, outcome: Outcome) {
        let mut failed: Option<Error> = None;
        for _ in 0..TRIES {
            match self.outcomes.submit(outcome.clone()).await {
                Ok(()) => return,
                Err(error) if error.kind() == ErrorKind::Unavailable => failed = Some(error),
                Err(error) => {
                    failed = Some(error);
                    break;
                }
            }
            sleep(PAUSE).await;
        }
        let delivery = outcome.id;
        tracing::warn!(%delivery, error = ?failed, "what became of a delivery was not stored");
    }
}

/// What is stored of an attempt.
fn outcome(dispatch: &Dispatch, delivery: &Model, attempt: Attempt) -> Outcome {
    let attempts = delivery.attempts + 1;
    let delay = match attempt.answer.verdict {
        Verdict::Delivered | Verdict::Gone | Verdict::Unsendable => None,
        Verdict::Failed(retry_after) => dispatch.timing.retries.delay(attempts, retry_after),
    };
    let status = match (attempt.answer.verdict, delay) {
        (Verdict::Delivered, _) => Status::Success,
        (Verdict::Gone | Verdict::Failed(_) | Verdict::Unsendable, None) => Status::Failed,
        (Verdict::Gone | Verdict::Failed(_) | Verdict::Unsendable, Some(_)) => Status::Pending,
    };
    Outcome {
        community: delivery.community_id,
        webhook: delivery.webhook_id,
        id: delivery.id,
        claimed_until: delivery.claimed_until,
        attempts,
        status,
        response_status: attempt.answer.status.map(i32::from),
        response_body: attempt.answer.body.map(String::into_bytes),
        error: attempt.answer.error,
        duration_ms: i64::try_from(attempt.duration.as_millis()).unwrap_or(i64::MAX),
        next_attempt_at: delay.map(|delay| Timestamp::now().plus(delay).as_millis()),
        attempted_at: attempt.began_at.as_millis(),
        earlier_attempts: delivery.attempts_before_next(),
    }
}
