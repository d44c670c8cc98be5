//! Where a service gets the events of others from.

use guildhall_catalog::Service as Entry;
use guildhall_data::Database;
use guildhall_events::{
    Consumer, Handler, Outbox, Retention,
    jetstream::{self, JetStream},
    local,
};
use guildhall_runtime::Shutdown;

/// Where events come from.
#[derive(Debug)]
pub enum EventSource<'a> {
    /// The outboxes of this process, where no broker carries events.
    Process {
        /// Of all its services.
        outboxes: Vec<&'a Outbox>,
        /// How long events are kept once everybody has them.
        retention: Retention,
    },
    /// The broker's streams.
    Streams(&'a JetStream),
}

impl EventSource<'_> {
    /// How long events are kept.
    #[must_use]
    pub fn retention(&self) -> Retention {
        match self {
            Self::Process { retention, .. } => *retention,
            Self::Streams(streams) => streams.retention(),
        }
    }

    /// Feeds `consumer` with the events that `service` handles by its entry in the catalogue;
    /// `database` is the service's.
    pub fn feed<H: Handler>(
        &self,
        service: &Entry,
        consumer: &Consumer<H>,
        database: &Database,
        shutdown: &Shutdown,
    ) {
        match self {
            Self::Process { outboxes, .. } => {
                let outboxes = outboxes.iter();
                for outbox in outboxes.filter(|it| service.events_from.contains(&it.service())) {
                    local::connect(outbox, consumer, shutdown);
                }
            }
            Self::Streams(streams) => {
                jetstream::consume(consumer, database, service.events_from, streams, shutdown);
            }
        }
    }
}
