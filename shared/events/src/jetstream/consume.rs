//! A consumer is fed from the streams of others.
//!
//! One process at a time reads a stream for a consumer, so that order holds; the others stand by. A
//! message is acknowledged once its effect is committed: what is not, comes again.

use std::{pin::pin, time::Duration};

use async_nats::jetstream::{
    AckKind, Context, Message,
    consumer::{AckPolicy, Consumer, DeliverPolicy, PullConsumer, pull::Config},
};
use futures::{StreamExt, future::join_all};
use guildhall_data::{Database, EventId};
use guildhall_proto::events::v1::Event;
use guildhall_runtime::{Error, Reason, Result, Shutdown};
use guildhall_signals::signature::RejectionLog;
use tokio::time::{Instant, sleep, timeout};

use super::{JetStream, TIMEOUT, away, batch, name_of};
use crate::{
    backoff::Backoff,
    consumer::{self, Handler},
    cursor::Leases,
    metrics::StreamMetrics,
};

/// Messages that are handled together, each of one event or many.
const BATCH: usize = 32;
/// Messages that may be under way to a consumer.
const PENDING: i64 = 256;
/// When a message comes again that nobody has acknowledged.
const ACK_WAIT: Duration = Duration::from_secs(30);
/// How often the broker says that it is there though it has nothing to say.
const HEARTBEAT: Duration = Duration::from_secs(2);
/// How long one request for messages stands.
const EXPIRES: Duration = Duration::from_secs(30);
/// How often the lease is renewed, and how often another process looks whether it is free.
const KEEP: Duration = Duration::from_secs(2);

/// Has `consumer` handle the events of `services` until `shutdown`; `database` is its own, and has
/// the table of [`crate::cursor`].
pub fn consume<H: Handler>(
    consumer: &consumer::Consumer<H>,
    database: &Database,
    services: &[&'static str],
    streams: &JetStream,
    shutdown: &Shutdown,
) {
    for service in services {
        let reader = format!("{} of {service}", consumer.name());
        let feed = Feed {
            consumer: consumer.clone(),
            service,
            streams: streams.clone(),
            metrics: StreamMetrics::of(consumer.name(), service),
            leases: Leases {
                database: database.clone(),
                reader,
                partitions: 1,
                owner: EventId::generate().to_string(),
            },
            kept_at: None,
            rejected: RejectionLog::default(),
            shutdown: shutdown.clone(),
        };
        tokio::spawn(feed.run());
    }
}

struct Feed<H> {
    consumer: consumer::Consumer<H>,
    service: &'static str,
    streams: JetStream,
    leases: Leases,
    /// When the lease was last renewed; none while another process has it.
    kept_at: Option<Instant>,
    metrics: StreamMetrics,
    rejected: RejectionLog,
    shutdown: Shutdown,
}

impl<H: Handler> Feed<H> {
    async fn run(mut self) {
        let mut backoff = Backoff::default();
        let shutdown = self.shutdown.clone();
        let mut is_prepared = false;
        while !shutdown.is_started() {
            let read = async {
                if !is_prepared {
                    self.leases.prepare().await?;
                    is_prepared = true;
                }
                if !self.keep().await? {
                    return Ok(KEEP);
                }
                self.read(&mut backoff).await.map(|()| Duration::ZERO)
            };
            let pause = match read.await {
                Ok(pause) => pause,
                Err(error) => {
                    backoff.warn(&error, "events cannot be read, trying again");
                    backoff.next()
                }
            };
            tokio::select! {
                () = sleep(pause) => {}
                () = shutdown.started() => {}
            }
        }
        if let Err(error) = self.leases.release().await {
            tracing::debug!(?error, "the lease ends by itself");
        }
    }

    /// Renews the lease when it is time; whether this process has it.
    async fn keep(&mut self) -> Result<bool> {
        if self.kept_at.is_some_and(|at| at.elapsed() < KEEP) {
            return Ok(true);
        }
        let is_held = !self.leases.take().await?.is_empty();
        self.kept_at = is_held.then(Instant::now);
        Ok(is_held)
    }

    /// Reads over one connection until it ends, or the lease does.
    async fn read(&mut self, backoff: &mut Backoff) -> Result<()> {
        // Held: the connection lives as long as it.
        let (_client, context) = self.streams.connect().await?;
        self.streams.stream(&context, self.service).await?;
        let source = timeout(TIMEOUT, self.source(&context)).await;
        let source = source.map_err(away)??;
        let messages = source
            .stream()
            .max_messages_per_batch(BATCH)
            .heartbeat(HEARTBEAT)
            .expires(EXPIRES)
            .messages();
        let messages = timeout(TIMEOUT, messages).await.map_err(away)?;
        let mut messages = pin!(messages.map_err(away)?.ready_chunks(BATCH));
        let shutdown = self.shutdown.clone();
        let mut sequence = None;
        while self.keep().await? {
            let chunk = tokio::select! {
                chunk = messages.next() => chunk,
                () = sleep(KEEP) => continue,
                () = shutdown.started() => return Ok(()),
            };
            let Some(chunk) = chunk else { return Ok(()) };
            let mut arrived = Vec::with_capacity(chunk.len());
            let mut failure = None;
            for message in chunk {
                match message {
                    Ok(message) if is_next(&message, &mut sequence) => arrived.push(message),
                    // One before it was lost: read again from there.
                    Ok(_) => failure = Some(lost()),
                    Err(error) => failure = Some(away(error)),
                }
                if failure.is_some() {
                    break;
                }
            }
            self.handle(arrived).await?;
            if let Some(failure) = failure {
                return Err(failure);
            }
            backoff.reset();
        }
        Ok(())
    }

    /// The durable consumer. What was under way when its last reader went away would come again
    /// half a minute after what follows it: so it is made anew, and goes on where all before is
    /// acknowledged.
    async fn source(&self, context: &Context) -> Result<PullConsumer> {
        let (name, stream) = (self.consumer.name(), name_of(self.service));
        let found = context
            .get_consumer_from_stream::<Config, _, _>(name, &stream)
            .await;
        let deliver_policy = match found.as_ref().map(Consumer::cached_info) {
            Ok(info) if info.num_ack_pending == 0 => info.config.deliver_policy,
            Ok(info) => {
                let deleted = context.delete_consumer_from_stream(name, &stream).await;
                deleted.map_err(away)?;
                DeliverPolicy::ByStartSequence {
                    start_sequence: info.ack_floor.stream_sequence + 1,
                }
            }
            Err(_) => DeliverPolicy::All,
        };
        let config = Config {
            durable_name: Some(name.to_owned()),
            deliver_policy,
            ack_policy: AckPolicy::Explicit,
            ack_wait: ACK_WAIT,
            max_ack_pending: PENDING,
            ..Config::default()
        };
        let made = context.create_consumer_on_stream(config, stream).await;
        made.map_err(away)
    }

    /// Handles messages, and acknowledges them.
    async fn handle(&mut self, messages: Vec<Message>) -> Result<()> {
        let Some(last) = messages.last() else {
            return Ok(());
        };
        if let Ok(info) = last.info() {
            let pending = i64::try_from(info.pending).unwrap_or(i64::MAX);
            self.metrics.pending.set(pending);
        }
        let events = self.read_events(&messages);
        let mut backoff = Backoff::default();
        while let Err(error) = self.consumer.handle(&events).await {
            backoff.warn(&error, "events cannot be handled now, trying again");
            // They stay ours, and nothing else comes meanwhile.
            join_all(messages.iter().map(|it| it.ack_with(AckKind::Progress))).await;
            tokio::select! {
                () = sleep(backoff.next()) => {}
                () = self.shutdown.started() => return Ok(()),
            }
            if !self.keep().await? {
                return Ok(());
            }
        }
        // One that is lost comes again.
        join_all(messages.iter().map(Message::ack)).await;
        Ok(())
    }
}

impl<H> Feed<H> {
    /// The events of messages; what is none of this platform is left out, and acknowledged with the
    /// rest so that it does not come again.
    fn read_events(&mut self, messages: &[Message]) -> Vec<Event> {
        let mut events = Vec::with_capacity(messages.len());
        for message in messages {
            if let Err(rejection) = self.streams.verify(message) {
                self.metrics.reject(rejection);
                self.rejected.note(&message.subject, rejection);
                continue;
            }
            let read = batch::events(message.payload.clone());
            for event in read.unwrap_or_else(|error| vec![Err(error)]) {
                match event {
                    Ok(event) => events.push(event),
                    Err(error) => {
                        tracing::error!(%error, service = self.service, "what is in the stream is no event");
                        self.metrics.unreadable.inc();
                    }
                }
            }
        }
        events
    }
}

/// Whether a message is the one that follows the last, of which `sequence` is that of the consumer.
fn is_next(message: &Message, sequence: &mut Option<u64>) -> bool {
    let Ok(info) = message.info() else {
        return false;
    };
    let last = sequence.replace(info.consumer_sequence);
    last.is_none_or(|last| info.consumer_sequence == last + 1)
}

fn lost() -> Error {
    Error::unavailable(Reason::Unreachable, "A message was lost on its way here")
}
