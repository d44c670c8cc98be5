//! Handles events: each once, those of a key in their order.
//!
//! * `inbox`: what was handled, written with its effect
//! * [`parked`]: what could not be, and what waits behind it
//! * [`migration`]: the tables of both
//!
//! An event that fails for a reason of its own is tried a few times and then parked; the events of
//! its key wait behind it, all others go on. What fails because something else is away is tried
//! until it is back.

mod inbox;
pub mod migration;
pub mod parked;

use std::{collections::HashSet, fmt, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use async_trait::async_trait;
use futures::FutureExt;
use guildhall_data::{Database, EventId, Transaction, sweep};
use guildhall_proto::events::v1::Event;
use guildhall_runtime::{
    Error, ErrorKind, Result, Shutdown,
    trace::{self, Origin},
};
use prost::Message;
use tokio::time::sleep;
use tracing::Instrument;

use crate::{Retention, backoff::Backoff, metrics::ConsumerMetrics};

/// How often an event is tried that fails for a reason of its own.
const TRIES: i32 = 5;
/// How often parked events are looked for that shall be tried again.
const REPLAY: Duration = Duration::from_secs(1);

/// What a service does on the events of others.
#[async_trait]
pub trait Handler: Send + Sync + 'static {
    /// What an event leads to, ready to be written.
    type Effect: Send;
    /// What is to be done once it is written.
    type Done: Send;

    /// What each event leads to, in their order; those that lead to nothing are passed over without
    /// a trace. Runs outside of the transaction, and may look up what it needs.
    ///
    /// # Errors
    /// For all of them, when something that is needed is away; for each, why it cannot be handled.
    async fn prepare(&self, events: &[&Event]) -> Result<Vec<Result<Option<Self::Effect>>>>;

    /// Writes effects, in the order of their events. It may run again when the transaction fails.
    ///
    /// # Errors
    /// Why they cannot be written: the transaction is rolled back.
    async fn apply(
        &self,
        transaction: &Transaction,
        effects: Vec<Self::Effect>,
    ) -> Result<Self::Done>;

    /// The effects are committed.
    fn applied(&self, done: Self::Done);
}

/// A handler, with the memory of what it has handled. Cheap to clone.
pub struct Consumer<H>(Arc<Inner<H>>);

struct Inner<H> {
    name: &'static str,
    database: Database,
    handler: H,
    retention: Retention,
    metrics: ConsumerMetrics,
}

impl<H> Clone for Consumer<H> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<H> fmt::Debug for Consumer<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Consumer").field(&self.0.name).finish()
    }
}

impl<H: Handler> Consumer<H> {
    /// A consumer that records in `database` what it has handled, which has the tables of [`migration`]. Begins to
    /// sweep them, and to try parked events again when an operator says so.
    #[must_use]
    pub fn new(
        name: &'static str,
        database: Database,
        handler: H,
        retention: Retention,
        shutdown: &Shutdown,
    ) -> Self {
        sweep::start::<inbox::entity::Entity>(
            database.clone(),
            inbox::entity::Column::ReceivedAt,
            retention.of_memory(),
            shutdown.clone(),
        );
        let consumer = Self(Arc::new(Inner {
            name,
            metrics: ConsumerMetrics::of(name, &database),
            database,
            handler,
            retention,
        }));
        tokio::spawn(consumer.clone().replay_until(shutdown.clone()));
        consumer
    }

    /// The name under which it records.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.0.name
    }

    /// How long events stay that it handles.
    #[must_use]
    pub fn retention(&self) -> Retention {
        self.0.retention
    }

    /// Handles events in their order.
    ///
    /// # Errors
    /// When something is away that is needed: none, some or all are handled; try all again.
    pub async fn handle(&self, events: &[Event]) -> Result<()> {
        let origins = events
            .iter()
            .map(|event| Origin::remote(&event.traceparent));
        let origins: Vec<_> = origins.collect();
        let span = Origin::join(
            &origins,
            || tracing::info_span!(target: trace::TARGET, "events.handle"),
        );
        let events: Vec<_> = events.iter().collect();
        self.handle_all(&events).instrument(span).await
    }

    async fn handle_all(&self, events: &[&Event]) -> Result<()> {
        match self.together(events).await {
            Ok(()) => return Ok(()),
            Err(error) if is_elsewhere(&error) => return Err(error),
            Err(_) if events.len() > 1 => {}
            Err(error) => tracing::debug!(?error, "an event failed, trying it again"),
        }
        for event in events {
            self.alone(event).await?;
        }
        Ok(())
    }

    /// Handles events in one transaction.
    async fn together(&self, events: &[&Event]) -> Result<()> {
        let Inner {
            name,
            database,
            handler,
            metrics,
            ..
        } = &*self.0;
        let effects = self.0.effects(events).await?;
        metrics.passed.inc_by((events.len() - effects.len()) as u64);
        if effects.is_empty() {
            return Ok(());
        }
        let keys = effects.iter().map(|(_, event, _)| &event.partition_key);
        let keys: HashSet<_> = keys.cloned().collect();

        let transaction = database.begin().await?;
        let blocked = parked::blocked(&transaction, name, keys).await?;
        let is_blocked = |event: &Event| blocked.contains(&event.partition_key);
        let (waiting, free): (Vec<_>, Vec<_>) = effects
            .into_iter()
            .partition(|(_, event, _)| is_blocked(event));
        let (mut repeated, ids) = (waiting.len() + free.len(), free.iter().map(|(id, ..)| *id));
        let mut new = inbox::receive(&transaction, name, ids.collect()).await?;
        let handled = new.len();
        repeated -= handled;
        for (_, event, _) in waiting {
            parked::park(&transaction, name, event, None).await?;
        }
        // Taken out: the same event may have come twice at once.
        let effects = free.into_iter().filter(|(id, ..)| new.remove(id));
        let effects: Vec<_> = effects.map(|(_, _, effect)| effect).collect();
        let done = match effects.is_empty() {
            true => None,
            false => Some(handler.apply(&transaction, effects).await?),
        };
        Database::commit(transaction).await?;
        metrics.handled.inc_by(handled as u64);
        metrics.repeated.inc_by(repeated as u64);
        if let Some(done) = done {
            handler.applied(done);
        }
        Ok(())
    }

    /// Handles an event by itself, and parks it when it goes on failing.
    async fn alone(&self, event: &Event) -> Result<()> {
        let mut backoff = Backoff::default();
        let mut tries = 0;
        loop {
            let error = match self.together(&[event]).await {
                Ok(()) => return Ok(()),
                Err(error) if is_elsewhere(&error) => return Err(error),
                Err(error) => error,
            };
            tries += 1;
            if tries >= TRIES {
                return self.park(event, tries, &error).await;
            }
            sleep(backoff.next()).await;
        }
    }

    async fn park(&self, event: &Event, tries: i32, error: &Error) -> Result<()> {
        let Inner { name, database, .. } = &*self.0;
        let transaction = database.begin().await?;
        parked::park(&transaction, name, event, Some((tries, error))).await?;
        Database::commit(transaction).await?;
        self.0.metrics.parked.inc();
        tracing::error!(
            consumer = name,
            event = event.id,
            community = event.community_id,
            ?error,
            "an event cannot be handled and is parked: see `guildhall events parked`"
        );
        Ok(())
    }

    async fn replay_until(self, shutdown: Shutdown) {
        loop {
            if let Err(error) = self.replay().await {
                tracing::warn!(?error, "parked events cannot be looked at, trying again");
            }
            tokio::select! {
                () = sleep(REPLAY) => {}
                () = shutdown.started() => return,
            }
        }
    }

    /// Tries again what an operator wants to be tried, and what waited behind it.
    async fn replay(&self) -> Result<()> {
        let Inner { name, database, .. } = &*self.0;
        loop {
            let due = parked::due(database, name).await?;
            if due.is_empty() {
                return Ok(());
            }
            for row in due {
                match self.replay_one(&row).in_current_span().await {
                    Ok(()) => {}
                    Err(error) if is_elsewhere(&error) => return Err(error),
                    Err(error) => {
                        tracing::warn!(consumer = name, event = %row.event_id, ?error, "a parked event failed again");
                        parked::failed_again(database, &row, &error).await?;
                    }
                }
            }
        }
    }

    async fn replay_one(&self, row: &parked::entity::Model) -> Result<()> {
        let Inner {
            name,
            database,
            handler,
            metrics,
            ..
        } = &*self.0;
        let event = Event::decode(row.payload.as_slice()).map_err(Error::internal)?;
        let effects = self.0.effects(&[&event]).await?;
        let effects: Vec<_> = effects.into_iter().map(|(_, _, effect)| effect).collect();
        let transaction = database.begin().await?;
        let new = inbox::receive(&transaction, name, vec![row.event_id]).await?;
        let done = match new.is_empty() || effects.is_empty() {
            true => None,
            false => Some(handler.apply(&transaction, effects).await?),
        };
        parked::release(&transaction, row).await?;
        Database::commit(transaction).await?;
        metrics.handled.inc_by(new.len() as u64);
        if let Some(done) = done {
            handler.applied(done);
        }
        Ok(())
    }
}

impl<H: Handler> Inner<H> {
    /// The events that lead to something, with what they lead to.
    async fn effects<'a>(
        &self,
        events: &[&'a Event],
    ) -> Result<Vec<(EventId, &'a Event, H::Effect)>> {
        // A handler that panics must not end the consumer.
        let prepared = AssertUnwindSafe(self.handler.prepare(events)).catch_unwind();
        let prepared = prepared
            .await
            .map_err(|_| Error::bug("the handler panicked"))??;
        let mut effects = Vec::with_capacity(prepared.len());
        for (event, effect) in events.iter().zip(prepared) {
            if let Some(effect) = effect? {
                effects.push((event.id.parse().map_err(Error::internal)?, *event, effect));
            }
        }
        Ok(effects)
    }
}

/// Whether something else is away: the event is not to blame.
fn is_elsewhere(error: &Error) -> bool {
    error.kind() == ErrorKind::Unavailable
}
