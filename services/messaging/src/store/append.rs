//! The group insert: messages that arrive together are stored by one commit.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use async_trait::async_trait;
use guildhall_data::{
    ChannelId, CommunityId, Database, MessageId, Ticket, TopicId, failed,
    group_commit::{Batch, Failure},
    idempotency,
};
use guildhall_events::{Signal, Signals, outbox};
use guildhall_proto::messaging::v1::{Message, ReplyMessageResponse, SendMessageResponse};
use guildhall_runtime::Result;
use prost::Message as _;
use sea_orm::{DatabaseTransaction, ExprTrait, IntoActiveModel, entity::prelude::*};

use super::{channels, messages, sequences};
use crate::{
    domain::{Channel, Content, Member},
    events, present,
};

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
        }
    }

    fn shown(&self, row: &messages::Model) -> Result<Message> {
        let author = self.author.as_ref().map(|author| author.author.clone());
        present::message(row, &self.channel.topic, author, Vec::new())
    }

    /// The idempotency row of the answer.
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
}

impl Append {
    /// Stores into `database` and tells `signals`.
    #[must_use]
    pub fn new(database: Database, signals: Signals) -> Self {
        Self { database, signals }
    }

    /// Everything up to the COMMIT.
    async fn write(&self, items: &[Item]) -> Result<(DatabaseTransaction, Vec<Message>)> {
        let transaction = self.database.begin().await?;
        // The sequence comes first: who holds it is alone, so channels cannot wait crosswise.
        let reserved = sequences::reserve(&transaction, count(items)).await?;
        let seqs = take_seqs(&transaction, items).await?;
        let rows: Vec<_> = items
            .iter()
            .zip(seqs)
            .zip(reserved.first..)
            .map(|((item, seq), number)| {
                item.row(Place {
                    number,
                    seq,
                    created_at: reserved.moment,
                })
            })
            .collect();
        count_replies(&transaction, items, reserved.moment).await?;
        outbox::append(
            &transaction,
            rows.iter().map(events::message_posted).collect(),
        )
        .await?;
        let mut shown = Vec::with_capacity(items.len());
        let mut answers = Vec::new();
        for (item, row) in items.iter().zip(&rows) {
            let message = item.shown(row)?;
            answers.extend(item.record(&message)?);
            shown.push(message);
        }
        idempotency::record_all(&transaction, answers).await?;
        // A batch has at most 512 rows of 17 values: far below SQLite's limit of 32,766.
        messages::Entity::insert_many(rows.into_iter().map(messages::Model::into_active_model))
            .exec_without_returning(&transaction)
            .await
            .map_err(failed)?;
        Ok((transaction, shown))
    }

    fn announce<'a>(&self, items: impl IntoIterator<Item = &'a Item>) {
        let mut channels: Vec<_> = items.into_iter().map(|item| item.channel.id).collect();
        channels.sort_unstable();
        channels.dedup();
        for channel in channels {
            self.signals.send(Signal::MessagesStored { channel });
        }
    }
}

#[async_trait]
impl Batch for Append {
    type Item = Item;
    type Answer = Message;

    async fn commit(&self, items: &[Item]) -> Result<Vec<Message>, Failure> {
        let (transaction, answers) = self.write(items).await.map_err(Failure::RolledBack)?;
        Database::commit(transaction)
            .await
            .map_err(Failure::Unknown)?;
        self.announce(items);
        Ok(answers)
    }

    async fn outcome(&self, item: &Item) -> Result<Option<Message>> {
        let row = messages::get(self.database.reader(), item.channel.community, item.id).await?;
        let Some(row) = row else { return Ok(None) };
        self.announce([item]);
        item.shown(&row).map(Some)
    }
}

fn count<T>(items: &[T]) -> i64 {
    i64::try_from(items.len()).unwrap_or(i64::MAX)
}

/// Adds to the counters of the channels; the `seq` of each item, in the items' order.
async fn take_seqs(transaction: &DatabaseTransaction, items: &[Item]) -> Result<Vec<i64>> {
    let mut wanted: BTreeMap<(CommunityId, ChannelId), i64> = BTreeMap::new();
    for item in items {
        *wanted
            .entry((item.channel.community, item.channel.id))
            .or_default() += 1;
    }
    let mut next = HashMap::with_capacity(wanted.len());
    for ((community, count), channels) in by_count(&wanted) {
        let counted = channels::Entity::update_many()
            .col_expr(
                channels::Column::LastSeq,
                Expr::col(channels::Column::LastSeq).add(count),
            )
            .filter(channels::Column::CommunityId.eq(community))
            .filter(channels::Column::Id.is_in(channels))
            .exec_with_returning(transaction)
            .await
            .map_err(failed)?;
        next.extend(
            counted
                .into_iter()
                .map(|channel| (channel.id, channel.last_seq - count)),
        );
    }
    let mut seqs = Vec::with_capacity(items.len());
    for item in items {
        let last = next
            .get_mut(&item.channel.id)
            .ok_or_else(crate::domain::access::channel_not_found)?;
        *last += 1;
        seqs.push(*last);
    }
    Ok(seqs)
}

/// Adds to the reply counters of the parents.
async fn count_replies(
    transaction: &DatabaseTransaction,
    items: &[Item],
    moment: i64,
) -> Result<()> {
    let mut wanted: BTreeMap<(CommunityId, MessageId), i64> = BTreeMap::new();
    for item in items {
        if let Some((parent, _)) = item.parent {
            *wanted.entry((item.channel.community, parent)).or_default() += 1;
        }
    }
    for ((community, count), parents) in by_count(&wanted) {
        let expected = parents.len() as u64;
        let counted = messages::Entity::update_many()
            .col_expr(
                messages::Column::ReplyCount,
                Expr::col(messages::Column::ReplyCount).add(count),
            )
            .col_expr(messages::Column::LastReplyAt, Expr::val(moment))
            .filter(messages::Column::CommunityId.eq(community))
            .filter(messages::Column::Id.is_in(parents))
            .exec(transaction)
            .await
            .map_err(failed)?;
        if counted.rows_affected != expected {
            return Err(crate::domain::access::message_not_found());
        }
    }
    Ok(())
}

/// Rows to which the same is added share a statement.
fn by_count<Id: Copy>(
    wanted: &BTreeMap<(CommunityId, Id), i64>,
) -> BTreeMap<(CommunityId, i64), Vec<Id>> {
    let mut groups: BTreeMap<_, Vec<Id>> = BTreeMap::new();
    for ((community, id), count) in wanted {
        groups.entry((*community, *count)).or_default().push(*id);
    }
    groups
}
