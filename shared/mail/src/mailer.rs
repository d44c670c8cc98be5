//! The task that sends what is due.

use std::{sync::Arc, time::Duration};

use guildhall_data::{Database, sweep};
use guildhall_runtime::{Shutdown, Timestamp};
use tokio::{
    sync::{Notify, watch},
    task::JoinSet,
};

use crate::{
    Pace, Transport,
    failure::{Failure, Kind},
    metrics::MailMetrics,
    queue::{self, Outcome},
};

/// E-mails that are under way at once.
const UNDER_WAY: usize = 8;

/// How long e-mails stay that were sent or given up.
const KEPT: Duration = Duration::from_secs(7 * 24 * 3600);

/// How often the end of an attempt is noted before that is left to the end of the lease.
const NOTES: u32 = 5;

/// How long to wait between two of them.
const NOTE_PAUSE: Duration = Duration::from_secs(1);

/// Sends the e-mails of a service. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Mailer {
    queued: Arc<Notify>,
    ended: watch::Receiver<()>,
}

impl Mailer {
    /// Sends what is queued in `database` until `shutdown`, and sweeps what is done.
    #[must_use]
    pub fn start(database: Database, transport: Transport, shutdown: Shutdown) -> Self {
        Self::start_at(Pace::default(), database, transport, shutdown)
    }

    /// The same at another pace, for tests.
    #[must_use]
    pub fn start_at(
        pace: Pace,
        database: Database,
        transport: Transport,
        shutdown: Shutdown,
    ) -> Self {
        transport.announce();
        sweep::start::<queue::Entity>(
            database.clone(),
            queue::Column::DoneAt,
            KEPT,
            shutdown.clone(),
        );
        let (running, ended) = watch::channel(());
        let queued = Arc::new(Notify::new());
        let sending = Arc::new(Sending {
            database,
            transport,
            pace,
            metrics: MailMetrics::new(),
        });
        let wake = Arc::clone(&queued);
        tokio::spawn(async move {
            run(sending, &wake, &shutdown).await;
            drop(running);
        });
        Self { queued, ended }
    }

    /// Says that an e-mail was queued, once its transaction is committed. It would be found without,
    /// too, within seconds.
    pub fn wake(&self) {
        self.queued.notify_one();
    }

    /// Waits until all that was under way at the shutdown is done: a process that ends before
    /// leaves e-mails that may be sent twice.
    pub async fn ended(&self) {
        // Nothing is ever sent: the other end is dropped at the end.
        let _ = self.ended.clone().changed().await;
    }
}

/// Sends what is due, a bounded number at once.
async fn run(sending: Arc<Sending>, queued: &Notify, shutdown: &Shutdown) {
    let mut under_way = JoinSet::new();
    while !shutdown.is_started() {
        for mail in sending.claim(UNDER_WAY - under_way.len()).await {
            let sending = Arc::clone(&sending);
            under_way.spawn(async move { sending.attempt(&mail).await });
        }
        tokio::select! {
            () = shutdown.started() => {}
            // There is room, and perhaps more that is due.
            Some(_) = under_way.join_next() => {}
            () = queued.notified() => {}
            () = tokio::time::sleep(sending.pace.poll) => {}
        }
    }
    while under_way.join_next().await.is_some() {}
}

#[derive(Debug)]
struct Sending {
    database: Database,
    transport: Transport,
    pace: Pace,
    metrics: MailMetrics,
}

impl Sending {
    async fn claim(&self, room: usize) -> Vec<queue::Model> {
        let limit = u64::try_from(room).unwrap_or(0);
        if limit == 0 {
            return Vec::new();
        }
        let claimed = queue::claim(&self.database, self.pace.lease(), limit).await;
        claimed.unwrap_or_else(|error| {
            tracing::warn!(?error, "cannot look for e-mails, trying again later");
            Vec::new()
        })
    }

    /// Tries to send a claimed e-mail, and notes how that ended.
    async fn attempt(&self, mail: &queue::Model) {
        let outcome = match self.send(mail).await {
            Ok(()) => Outcome::Sent,
            Err(failure) => self.after(mail, failure),
        };
        self.tell(mail, &outcome);
        for _ in 0..NOTES {
            match queue::settle(&self.database, mail, &outcome).await {
                Ok(()) => return,
                Err(error) => {
                    tracing::warn!(mail = %mail.id, ?error, "cannot note an e-mail's end")
                }
            }
            tokio::time::sleep(NOTE_PAUSE).await;
        }
    }

    async fn send(&self, mail: &queue::Model) -> Result<(), Failure> {
        let email = mail
            .email()
            .map_err(|error| Failure::new(Kind::Malformed, &error))?;
        self.transport.send(&email, self.pace.patience).await
    }

    /// What becomes of an e-mail after a failure.
    fn after(&self, mail: &queue::Model, failure: Failure) -> Outcome {
        match self.pace.pause(mail.attempts) {
            Some(pause) if !failure.kind.is_final() => {
                Outcome::Retry(Timestamp::now().plus(pause), failure)
            }
            Some(_) | None => Outcome::GivenUp(failure),
        }
    }

    /// Counts and logs how an attempt ended; never with the e-mail's text or recipient.
    fn tell(&self, mail: &queue::Model, outcome: &Outcome) {
        let (community, id, attempts) = (mail.community_id, mail.id, mail.attempts);
        match outcome {
            Outcome::Sent => {
                self.metrics.sent.inc();
                tracing::debug!(%community, mail = %id, attempts, "e-mail sent");
            }
            Outcome::Retry(at, failure) => {
                self.metrics.retried.inc();
                let (failure, next) = (failure.kind.as_str(), at.to_iso());
                tracing::info!(%community, mail = %id, attempts, failure, next, "e-mail not sent yet");
            }
            Outcome::GivenUp(failure) => {
                self.metrics.given_up.inc();
                let failure = failure.kind.as_str();
                tracing::warn!(%community, mail = %id, attempts, failure, "e-mail given up");
            }
        }
    }
}
