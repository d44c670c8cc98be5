//! Events that stay in the process: a relay hands them to the consumer itself.

use async_trait::async_trait;
use guildhall_proto::events::v1::Event;
use guildhall_runtime::{Error, Result, Shutdown};
use prost::Message;

use crate::{
    consumer::{Consumer, Handler},
    cursor::Mark,
    outbox::Outbox,
    relay::{self, Sink, window::Row},
};

/// Has `consumer` handle the events of `outbox`, and sweeps it, until `shutdown`.
pub fn connect<H: Handler>(outbox: &Outbox, consumer: &Consumer<H>, shutdown: &Shutdown) {
    outbox.keep(consumer.retention(), shutdown);
    relay::start(outbox, Local(consumer.clone()), shutdown);
}

struct Local<H>(Consumer<H>);

#[async_trait]
impl<H: Handler> Sink for Local<H> {
    fn reader(&self) -> String {
        self.0.name().to_owned()
    }

    async fn open(&mut self) -> Result<Mark> {
        Ok(Mark::default())
    }

    fn is_open(&self) -> bool {
        true
    }

    async fn deliver(&mut self, rows: Vec<Row>) -> Result<Mark> {
        let events = rows.iter().map(|row| Event::decode(row.payload.as_slice()));
        let events = events.collect::<Result<Vec<_>, _>>();
        self.0.handle(&events.map_err(Error::internal)?).await?;
        Ok(Mark::default())
    }
}
