//! Finds the webhooks for which something is due, and runs an endpoint for each.
//!
//! Whoever queues a delivery says so; what is due later, or was queued by another process, is found
//! by asking the database once a second.

use std::{collections::HashMap, sync::Arc, time::Duration};

use guildhall_data::{CommunityId, Database, GroupCommit, WebhookId, seal::Sealer};
use guildhall_runtime::{Result, Shutdown};
use parking_lot::Mutex;
use tokio::sync::watch;

use super::{
    Timing, address::Reach, email::Emails, endpoint::Endpoint, health::Health,
    park::ParkedWebhooks, sender::Sender, slots::Slots, test_event::TestEvents,
};
use crate::{
    metrics::Metrics,
    store::deliveries::{
        due::{self, Claims},
        outcomes::Outcomes,
    },
};

/// Endpoints that run at a time at most; what is beyond is found again.
const MAX_ENDPOINTS: usize = 10_000;
/// Endpoints whose health is remembered at most, and for how long after their last attempt.
const REMEMBERED: u64 = 50_000;
const REMEMBERED_FOR: Duration = Duration::from_secs(600);

/// A webhook by its community.
pub(super) type Key = (CommunityId, WebhookId);

/// Carries deliveries out. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Dispatcher(pub(super) Arc<Dispatch>);

/// What all endpoints share.
#[derive(Debug)]
pub(super) struct Dispatch {
    pub database: Database,
    pub sealer: Arc<Sealer>,
    pub emails: Emails,
    pub sender: Sender,
    pub claims: GroupCommit<Claims>,
    pub outcomes: GroupCommit<Outcomes>,
    pub slots: Slots,
    pub test_events: TestEvents,
    pub health: moka::sync::Cache<WebhookId, Health>,
    pub parked: ParkedWebhooks,
    pub timing: Timing,
    pub metrics: Metrics,
    pub shutdown: Shutdown,
    endpoints: Mutex<HashMap<Key, Arc<Endpoint>>>,
    running: watch::Sender<usize>,
}

impl Dispatcher {
    /// Starts to carry out what is queued in `database`, until `shutdown`.
    ///
    /// # Errors
    /// When TLS cannot be set up, or the system has no thread to give.
    pub async fn start(
        database: &Database,
        sealer: &Arc<Sealer>,
        emails: Emails,
        reach: Reach,
        timing: Timing,
        shutdown: &Shutdown,
    ) -> Result<Self> {
        let health = moka::sync::Cache::builder()
            .max_capacity(REMEMBERED)
            .time_to_idle(REMEMBERED_FOR)
            .build();
        let dispatcher = Self(Arc::new(Dispatch {
            sender: Sender::new(reach, timing.attempt)?,
            claims: GroupCommit::start(Claims::new(database.clone())).await?,
            outcomes: GroupCommit::start(Outcomes::new(database.clone())).await?,
            database: database.clone(),
            sealer: Arc::clone(sealer),
            emails,
            slots: Slots::default(),
            test_events: TestEvents::default(),
            health,
            parked: ParkedWebhooks::default(),
            timing,
            metrics: Metrics::default(),
            shutdown: shutdown.clone(),
            endpoints: Mutex::default(),
            running: watch::Sender::new(0),
        }));
        tokio::spawn(dispatcher.clone().look());
        Ok(dispatcher)
    }

    /// Something was queued for these webhooks, and is committed.
    pub fn wake(&self, webhooks: impl IntoIterator<Item = Key>) {
        for key in webhooks {
            self.0.wake(key);
        }
    }

    /// Resolves when nothing is under way any more: after the request to stop, attempts that were
    /// begun end and are recorded.
    pub async fn finished(&self) {
        // The sender is ours, so it is there.
        let _ = self.0.running.subscribe().wait_for(|n| *n == 0).await;
    }

    /// Looks for what is due again and again.
    async fn look(self) {
        let dispatch = self.0;
        let stopped = dispatch.shutdown.started();
        tokio::pin!(stopped);
        loop {
            match due::webhooks(dispatch.database.reader()).await {
                Ok(found) => {
                    dispatch.metrics.due(found.len());
                    found.into_iter().for_each(|key| dispatch.wake(key));
                }
                Err(error) => tracing::warn!(?error, "cannot look for what is due"),
            }
            tokio::select! {
                () = tokio::time::sleep(dispatch.timing.poll) => {}
                () = &mut stopped => return,
            }
        }
    }
}

impl Dispatch {
    /// Has the endpoint of a webhook look for what is due.
    fn wake(self: &Arc<Self>, key: Key) {
        let mut endpoints = self.endpoints.lock();
        if let Some(endpoint) = endpoints.get(&key) {
            return endpoint.wake();
        }
        if endpoints.len() >= MAX_ENDPOINTS || self.shutdown.is_started() {
            return;
        }
        let endpoint = Arc::new(Endpoint::new(key));
        endpoints.insert(key, Arc::clone(&endpoint));
        self.running.send_modify(|n| *n += 1);
        let running = Running {
            dispatch: Arc::clone(self),
            endpoint,
        };
        tokio::spawn(running.run());
    }
}

/// An endpoint that runs, until dropped.
#[derive(Debug)]
pub(super) struct Running {
    pub dispatch: Arc<Dispatch>,
    pub endpoint: Arc<Endpoint>,
}

impl Running {
    /// Whether the endpoint ends now: nobody has woken it since it last looked. From then on a new
    /// one may run.
    pub fn ends(&self) -> bool {
        let mut endpoints = self.dispatch.endpoints.lock();
        let ends = !self.endpoint.was_woken();
        if ends {
            endpoints.remove(&self.endpoint.key);
        }
        ends
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let mut endpoints = self.dispatch.endpoints.lock();
        let present = endpoints.get(&self.endpoint.key);
        if present.is_some_and(|present| Arc::ptr_eq(present, &self.endpoint)) {
            endpoints.remove(&self.endpoint.key);
        }
        self.dispatch.running.send_modify(|n| *n -= 1);
    }
}
