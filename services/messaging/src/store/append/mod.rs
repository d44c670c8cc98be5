//! The group insert: messages that arrive together are stored by one commit.
//!
//! [`batch`] says what is written; `sqlite` and `postgres` are the two ways to write it.

mod batch;
mod postgres;
mod sqlite;

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use guildhall_data::{
    CommunityId, Database, MessageId, Ticket, TopicId, WebhookId,
    group_commit::{Batch, Failure},
    idempotency,
};
use guildhall_events::Outbox;
use guildhall_proto::messaging::v1::{Message, ReplyMessageResponse, SendMessageResponse};
use guildhall_runtime::{Error, Reason, Result};
use guildhall_signals::{MessagesStored, Signals};
use prost::Message as _;

use super::{messages, sequences};
use crate::{
    domain::{Channel, Content, Member},
    present,
};

/// How long PostgreSQL may take for all that stands before a COMMIT, for the COMMIT, and for
/// looking up what became of it.
const STEP: Duration = Duration::from_secs(8);

/// A message on its way to the disk. Everything in it was checked.
#[derive(Debug)]
pub struct Item {
    /// Its id, by which its outcome can be looked up.
    pub id: MessageId,
    /// Its channel.
    pub channel: Arc<Channel>,
    /// Its topic, in a forum channel.
    pub topic: Option<TopicId>,
    /// The id and the number of the message that it replies to.
    pub parent: Option<(MessageId, i64)>,
    /// Who wrote it; none for the administration.
    pub author: Option<Arc<Member>>,
    /// What it says.
    pub content: Content,
    /// The incoming webhook that it came by.
    pub webhook: Option<WebhookId>,
    /// W3C trace context of its request; empty when that is not sampled.
    pub traceparent: String,
    /// Records the answer for its Idempotency-Key.
    pub ticket: Ticket,
}

/// What a stored message got.
#[derive(Debug, Clone, Copy)]
struct Place {
    number: i64,
    seq: i64,
    created_at: i64,
}

impl Item {
    fn row(&self, place: Place) -> messages::Model {
        messages::Model {
            community_id: self.channel.community,
            id: self.id,
            number: place.number,
            channel_id: self.channel.id,
            seq: place.seq,
            user_id: self.author.as_ref().map(|author| author.id),
            topic_id: self.topic,
            parent_id: self.parent.map(|(id, _)| id),
            parent_number: self.parent.map(|(_, number)| number),
            kind: self.content.kind,
            text: self.content.text.clone(),
            details: self
                .content
                .details
                .as_ref()
                .map(|details| details.encode_to_vec()),
            direct: self.channel.is_direct(),
            encrypted: self.content.encrypted().is_some(),
            reply_count: 0,
            last_reply_at: None,
            created_at: place.created_at,
            reacted: false,
        }
    }

    fn shown(&self, row: &messages::Model) -> Result<Message> {
        let author = self.author.as_ref().map(|author| author.author.clone());
        present::message(row, &self.channel.topic, author, Vec::new())
    }

    /// The idempotency row of the answer; that of a webhook's message is the same on the wire.
    fn record(&self, message: &Message) -> Result<Option<idempotency::entity::ActiveModel>> {
        let message = Some(message.clone());
        match self.parent {
            None => self.ticket.row(&SendMessageResponse { message }),
            Some(_) => self.ticket.row(&ReplyMessageResponse { message }),
        }
    }
}

/// Stores messages.
#[derive(Debug)]
pub struct Append {
    database: Database,
    signals: Signals,
    outbox: Outbox,
}

impl Append {
    /// Stores into `database`, and tells `signals` and whoever reads the `outbox`.
    #[must_use]
    pub fn new(database: Database, signals: Signals, outbox: Outbox) -> Self {
        Self {
            database,
            signals,
            outbox,
        }
    }

    /// Those of the items that are stored. Whoever still commits one holds the sequence: waiting
    /// for it is waiting for his end.
    async fn stored(&self, items: &[Item]) -> Result<HashMap<MessageId, messages::Model>> {
        let transaction = self.database.begin_batch().await?;
        sequences::wait(&transaction).await?;
        let mut wanted: BTreeMap<CommunityId, Vec<MessageId>> = BTreeMap::new();
        for item in items {
            let ids = wanted.entry(item.channel.community).or_default();
            ids.push(item.id);
        }
        let mut stored = HashMap::with_capacity(items.len());
        for (community, ids) in wanted {
            let rows = messages::get_all(&transaction, community, ids).await?;
            stored.extend(rows.into_iter().map(|row| (row.id, row)));
        }
        Ok(stored)
    }

    fn announce<'a>(&self, items: impl IntoIterator<Item = &'a Item>) {
        let mut channels: Vec<_> = items.into_iter().map(|item| item.channel.id).collect();
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
        let answers = match self.database.file() {
            Some(file) => sqlite::store(file, items).await?,
            None => postgres::store(&self.database, items).await?,
        };
        self.announce(items);
        Ok(answers)
    }

    async fn outcomes(&self, items: &[Item]) -> Result<Vec<Option<Message>>> {
        let rows = in_time(self.stored(items)).await?;
        let shown = |item: &Item| rows.get(&item.id).map(|row| item.shown(row)).transpose();
        let answers = items.iter().map(shown).collect::<Result<Vec<_>>>()?;
        let stored = items.iter().zip(&answers);
        self.announce(stored.filter_map(|(item, answer)| answer.as_ref().map(|_| item)));
        Ok(answers)
    }
}

/// A connection that was cut off without a word must not hold up the queue for ever.
async fn in_time<T>(step: impl Future<Output = Result<T>>) -> Result<T> {
    let done = tokio::time::timeout(STEP, step).await;
    done.unwrap_or_else(|elapsed| {
        let message = "The database did not answer in time, try again";
        Err(Error::unavailable(Reason::Unreachable, message).caused_by(elapsed))
    })
}
