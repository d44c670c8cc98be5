//! A relay fills the stream of its service.

use async_nats::{
    Client,
    connection::State,
    jetstream::{Context, context::PublishAckFuture, message::PublishMessage},
};
use async_trait::async_trait;
use guildhall_runtime::{Error, Reason, Result, Shutdown};

use super::{JetStream, away, batch::Batch, subject_of};
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
        let batches = Batch::gather(rows);
        let mut acks = Vec::with_capacity(batches.len());
        for batch in batches {
            acks.push(session.publish(&subject, batch).await?);
        }
        for ack in acks {
            session.confirm(ack).await?;
        }
        let mark = session.mark.clone();
        self.session = Some(session);
        Ok(mark)
    }
}

impl Session {
    async fn publish(&self, subject: &str, batch: Batch) -> Result<PublishAckFuture> {
        let message = PublishMessage::build()
            .message_id(batch.id)
            .payload(batch.payload);
        let subject = format!("{subject}{}", batch.partition);
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

fn closed() -> Error {
    Error::unavailable(Reason::Unreachable, "There is no connection to the broker")
}
