//! Events on NATS JetStream: a stream per service that publishes, a durable consumer per service
//! that handles.
//!
//! The stream is a copy: it acknowledges before it flushes, and may be deleted. The outbox fills it
//! again ([`crate::cursor`] records how far it was filled). A stream that is full refuses what is
//! new, which waits in the outbox: nothing is dropped that a consumer still has to read.
//!
//! Messages are signed: whoever reaches the broker can publish there, and is not heard.
//!
//! * [`publish`]: a relay fills the stream
//! * `batch`: with many events in a message
//! * [`consume`]: a consumer is fed from it

mod batch;
mod consume;
mod publish;

use std::{sync::Arc, time::Duration};

use async_nats::{
    Client, HeaderMap, HeaderValue, Message,
    header::NATS_MESSAGE_ID,
    jetstream::{
        self, Context,
        stream::{Config, DiscardPolicy, Info, RetentionPolicy, StorageType},
    },
};
use guildhall_runtime::{Error, Reason, Result};
use guildhall_signals::{BusSettings, Retention, broker::Broker, signature::Rejection};
use tokio::time::timeout;

pub use self::{consume::consume, publish::publish};

/// How long the broker may take for anything.
const TIMEOUT: Duration = Duration::from_secs(5);
/// How long the broker keeps the ids by which it drops a message that comes again: the broker's own
/// default. What comes later, or among others, is dropped by the inbox.
const DUPLICATES: Duration = Duration::from_secs(120);

/// Where the streams are. Cheap to clone.
#[derive(Debug, Clone)]
pub struct JetStream(Arc<BusSettings>);

impl JetStream {
    /// The streams of this broker.
    #[must_use]
    pub fn new(settings: BusSettings) -> Self {
        Self(Arc::new(settings))
    }

    /// How long events stay in them.
    #[must_use]
    pub fn retention(&self) -> Retention {
        self.0.retention
    }

    /// A connection of its own: it never reconnects by itself, because what waits in it would come
    /// after what was lost with it.
    async fn connect(&self) -> Result<(Client, Context)> {
        let broker = Broker::once(&self.0)?;
        let connecting = broker.options.connect(broker.servers);
        let client = timeout(TIMEOUT, connecting).await;
        let client = client.map_err(away)?.map_err(away)?;
        let mut context = jetstream::new(client.clone());
        context.set_timeout(TIMEOUT);
        Ok((client, context))
    }

    /// The headers of a message: its id and its signature.
    fn sign(&self, subject: &str, id: &str, payload: &[u8]) -> HeaderMap {
        let parts = [subject.as_bytes(), id.as_bytes(), payload];
        let mut headers = self.0.keys.events.sign(&parts);
        headers.insert(NATS_MESSAGE_ID, id);
        headers
    }

    /// Whether a process of this platform has published a message, with this id and on this subject:
    /// that of another service's stream does not count here. One that comes again does no harm, since
    /// the inbox knows it.
    fn verify(&self, message: &Message) -> Result<(), Rejection> {
        let headers = message.headers.as_ref();
        let id = headers.and_then(|headers| headers.get(NATS_MESSAGE_ID));
        let id = id.map(HeaderValue::as_str).unwrap_or_default();
        let parts = [message.subject.as_bytes(), id.as_bytes(), &message.payload];
        self.0.keys.events.verify(headers, &parts)
    }

    /// Makes the stream of `service`, or brings it up to date.
    async fn stream(&self, context: &Context, service: &str) -> Result<Info> {
        let config = Config {
            name: name_of(service),
            subjects: vec![format!("{}*", subject_of(service))],
            description: Some(format!("Events of {service}; made anew from its outbox")),
            retention: RetentionPolicy::Limits,
            discard: DiscardPolicy::New,
            max_bytes: self.0.stream_max_bytes,
            storage: StorageType::File,
            max_age: self.retention().of_events(),
            duplicate_window: DUPLICATES,
            num_replicas: self.0.stream_replicas,
            ..Config::default()
        };
        let made = timeout(TIMEOUT, context.create_or_update_stream(config)).await;
        made.map_err(away)?.map_err(away)
    }
}

fn name_of(service: &str) -> String {
    format!("guildhall_events_{service}")
}

/// The partition follows.
fn subject_of(service: &str) -> String {
    format!("guildhall.events.v1.{service}.")
}

fn away(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::unavailable(
        Reason::Unreachable,
        "The broker is unavailable, try again later",
    )
    .caused_by(error)
}
