//! The group insert: messages that arrive at the same time are stored by one commit.
//!
//! [`batch`] says what is written; `sqlite` and `postgres` are the two ways to write it.

mod batch;
mod postgres;
mod sqlite;

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use async_trait::async_trait;
use guildhall_data::{
    CommunityId, Database, MessageId, Ticket,
    group_commit::{Batch, Failure},
    idempotency,
};
use guildhall_events::Outbox;
use guildhall_proto::messaging::v1::{Message, SendMessageResponse};
use guildhall_runtime::{Error, Reason, Result};
use guildhall_signals::{MessagesStored, Signals};
use prost::Message as _;

use crate::{
    domain::NewMessage,
    present,
    store::{messages, sequences},
};

/// How long PostgreSQL may take for everything before a COMMIT, for the COMMIT, and for looking up
/// its outcome.
const STEP: Duration = Duration::from_secs(8);

/// A message that waits to be stored.
#[derive(Debug)]
pub struct Item {
    /// The message.
    pub message: NewMessage,
    /// Records the response for its Idempotency-Key and its `dedup_id`.
    pub ticket: Ticket,
}

/// What the counters gave a message.
#[derive(Debug, Clone, Copy)]
struct Position {
    number: i64,
    seq: i64,
    created_at: i64,
}

impl Item {
    fn row(&self, position: Position) -> messages::Model {
        let message = &self.message;
        let details = message.content.details.as_ref();
        messages::Model {
            community_id: message.channel.community,
            id: message.id,
            number: position.number,
            channel_id: message.channel.id,
            seq: position.seq,
            user_id: message.author.as_ref().map(|author| author.id),
            topic_id: message.topic,
            parent_id: message.parent.map(|(id, _)| id),
            parent_number: message.parent.map(|(_, number)| number),
            kind: message.content.kind,
            text: message.content.text.clone(),
            details: details.map(|details| details.encode_to_vec()),
            direct: message.channel.is_direct(),
            encrypted: message.content.encrypted().is_some(),
            reply_count: 0,
            last_reply_at: None,
            created_at: position.created_at,
            reacted: false,
        }
    }

    fn present(&self, row: &messages::Model) -> Message {
        let author = self.message.author.as_ref();
        let author = author.map(|author| present::author(author));
        let mentions = self.message.mentions.iter();
        present::message(
            row,
            &self.message.channel.topic,
            author,
            Vec::new(),
            self.message.content.details.clone(),
            mentions.map(|user| present::author(user)).collect(),
        )
    }

    /// The idempotency rows of the response, which all RPCs that store messages encode alike.
    fn records(&self, message: &Message) -> Result<Vec<idempotency::entity::ActiveModel>> {
        let message = Some(message.clone());
        self.ticket.rows(&SendMessageResponse { message })
    }
}

/// Stores batches of messages.
#[derive(Debug)]
pub struct Append {
    database: Database,
    signals: Signals,
    outbox: Outbox,
}

impl Append {
    /// Stores into `database`; then notifies `signals` and the readers of the `outbox`.
    #[must_use]
    pub fn new(database: Database, signals: Signals, outbox: Outbox) -> Self {
        Self {
            database,
            signals,
            outbox,
        }
    }

    /// The items that are stored. A transaction that still commits some of them holds the sequence:
    /// waiting for the sequence is waiting for its end.
    async fn stored(&self, items: &[Item]) -> Result<HashMap<MessageId, messages::Model>> {
        let transaction = self.database.begin_batch().await?;
        sequences::hold(&transaction).await?;
        let mut ids: BTreeMap<CommunityId, Vec<MessageId>> = BTreeMap::new();
        for Item { message, .. } in items {
            let of_community = ids.entry(message.channel.community).or_default();
            of_community.push(message.id);
        }
        let mut stored = HashMap::with_capacity(items.len());
        for (community, ids) in ids {
            let rows = messages::list_by_ids(&transaction, community, ids).await?;
            stored.extend(rows.into_iter().map(|row| (row.id, row)));
        }
        Ok(stored)
    }

    fn announce<'a>(&self, items: impl IntoIterator<Item = &'a Item>) {
        let channels = items.into_iter().map(|item| item.message.channel.id);
        let mut channels: Vec<_> = channels.collect();
        channels.sort_unstable();
        channels.dedup();
        for channel in channels {
            self.signals.send(MessagesStored { channel });
        }
        self.outbox.announce();
    }
}

#[async_trait]
impl Batch for Append {
    type Item = Item;
    type Answer = Message;
    const NAME: &'static str = "messages";

    async fn prepare(&self) -> Result<()> {
        let transaction = self.database.begin_batch().await?;
        Database::roll_back(transaction).await
    }

    async fn commit(&self, items: &[Item]) -> Result<Vec<Message>, Failure> {
        let messages = match self.database.file() {
            Some(file) => sqlite::store(file, items).await?,
            None => postgres::store(&self.database, items).await?,
        };
        self.announce(items);
        Ok(messages)
    }

    async fn outcomes(&self, items: &[Item]) -> Result<Vec<Option<Message>>> {
        let rows = in_time(self.stored(items)).await?;
        let present = |item: &Item| {
            let row = rows.get(&item.message.id);
            row.map(|row| item.present(row))
        };
        let messages: Vec<_> = items.iter().map(present).collect();
        let stored = items.iter().zip(&messages);
        self.announce(stored.filter_map(|(item, message)| message.as_ref().map(|_| item)));
        Ok(messages)
    }
}

/// Bounds a step: a connection that was cut silently must not block the queue for ever.
async fn in_time<T>(step: impl Future<Output = Result<T>>) -> Result<T> {
    let done = tokio::time::timeout(STEP, step).await;
    done.unwrap_or_else(|elapsed| {
        let message = "The database did not answer in time, try again";
        Err(Error::unavailable(Reason::Unreachable, message).caused_by(elapsed))
    })
}
