//! A relay fills the stream of its service.

use async_nats::{
    Client, HeaderMap,
    connection::State,
    jetstream::{Context, context::PublishAckFuture, message::PublishMessage, stream::Info},
};
use async_trait::async_trait;
use futures::TryStreamExt;
use guildhall_runtime::{Error, Reason, Result, Shutdown};
use tokio::time::timeout;

use super::{JetStream, TIMEOUT, away, batch::Batch, subject_of};
use crate::{
    cursor::Mark,
    outbox::Outbox,
    relay::{self, Sink, window::Row},
};

/// Passes the events of `outbox` on to its stream, and sweeps it, until `shutdown`.
pub fn publish(outbox: &Outbox, streams: &JetStream, shutdown: &Shutdown) {
    outbox.keep(streams.retention(), shutdown);
    let publisher = Publisher {
        streams: streams.clone(),
        service: outbox.service(),
        session: None,
    };
    relay::start(outbox, publisher, shutdown);
}

struct Publisher {
    streams: JetStream,
    service: &'static str,
    session: Option<Session>,
}

/// One connection, and the stream as it was found over it.
struct Session {
    client: Client,
    context: Context,
    mark: Mark,
}

impl Session {
    fn is_open(&self) -> bool {
        self.client.connection_state() == State::Connected
    }
}

#[async_trait]
impl Sink for Publisher {
    fn reader(&self) -> String {
        "nats".to_owned()
    }

    async fn open(&mut self) -> Result<Mark> {
        let (client, context) = match self.session.take().filter(Session::is_open) {
            Some(session) => (session.client, session.context),
            None => self.streams.connect().await?,
        };
        let info = self.streams.stream(&context, self.service).await?;
        let made = timeout(TIMEOUT, make_room(&context, &info)).await;
        made.map_err(away)??;
        let mark = Mark {
            stream: info.created.unix_timestamp_nanos().to_string(),
            sequence: i64::try_from(info.state.last_sequence).unwrap_or(i64::MAX),
        };
        self.session = Some(Session {
            client,
            context,
            mark: mark.clone(),
        });
        Ok(mark)
    }

    fn is_open(&self) -> bool {
        self.session.as_ref().is_some_and(Session::is_open)
    }

    async fn deliver(&mut self, rows: Vec<Row>) -> Result<Mark> {
        // Taken out: after a failure the next attempt begins with a new connection.
        let mut session = self.session.take().ok_or_else(closed)?;
        let subject = subject_of(self.service);
        for wave in Batch::waves(rows) {
            let mut acks = Vec::with_capacity(wave.len());
            for batch in wave {
                let subject = format!("{subject}{}", batch.partition);
                let headers = self.streams.sign(&subject, &batch.id, &batch.payload);
                acks.push(session.publish(subject, headers, batch).await?);
            }
            for ack in acks {
                session.confirm(ack).await?;
            }
        }
        let mark = session.mark.clone();
        self.session = Some(session);
        Ok(mark)
    }
}

impl Session {
    async fn publish(
        &self,
        subject: String,
        headers: HeaderMap,
        batch: Batch,
    ) -> Result<PublishAckFuture> {
        let message = PublishMessage::build()
            .headers(headers)
            .payload(batch.payload);
        let sent = self.context.send_publish(subject, message).await;
        sent.map_err(away)
    }

    async fn confirm(&mut self, ack: PublishAckFuture) -> Result<()> {
        let ack = ack.await.map_err(away)?;
        let sequence = i64::try_from(ack.sequence).unwrap_or(i64::MAX);
        if ack.duplicate {
            return Ok(());
        }
        if sequence <= self.mark.sequence {
            return Err(Error::unavailable(
                Reason::Unreachable,
                "The stream was made anew",
            ));
        }
        self.mark.sequence = sequence;
        Ok(())
    }
}

/// Removes from a stream that is more than half full what all its consumers have acknowledged.
async fn make_room(context: &Context, info: &Info) -> Result<()> {
    let half = u64::try_from(info.config.max_bytes / 2).unwrap_or(u64::MAX);
    if info.state.bytes <= half {
        return Ok(());
    }
    let stream = context.get_stream(&info.config.name).await.map_err(away)?;
    let consumers: Vec<_> = stream.consumers().try_collect().await.map_err(away)?;
    let read = consumers.iter().map(|it| it.ack_floor.stream_sequence);
    // Without a consumer, all of it has yet to be read.
    let read = read.min().unwrap_or_default();
    if read >= info.state.first_sequence {
        let purged = stream.purge().sequence(read + 1).await.map_err(away)?;
        tracing::debug!(
            stream = info.config.name,
            messages = purged.purged,
            "made room in a stream"
        );
    }
    Ok(())
}

fn closed() -> Error {
    Error::unavailable(Reason::Unreachable, "There is no connection to the broker")
}
