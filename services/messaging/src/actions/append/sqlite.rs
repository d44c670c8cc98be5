//! The group insert on SQLite, where a statement costs a function call and no round trip: each row has
//! a statement of its own, prepared once.

use std::collections::HashMap;

use guildhall_data::{
    FileTransaction, database::file::SqliteFile, group_commit::Failure, idempotency,
};
use guildhall_events::outbox;
use guildhall_proto::messaging::v1::Message;
use guildhall_runtime::{Error, Result, Timestamp};
use sea_orm::IntoActiveModel;

use super::{
    Item,
    batch::{Counted, Increments, Rows},
};
use crate::{
    domain::access::message_not_found,
    store::{messages, sequences::Reserved},
};

const RESERVE: &str = "
UPDATE sequences
SET last_number = last_number + ?1, last_moment = max(last_moment, ?2)
WHERE name = 'messages'
RETURNING last_number - ?1 + 1, last_moment";

const COUNT: &str = "
UPDATE channels
SET last_seq = last_seq + ?1
WHERE community_id = ?2 AND id = ?3
RETURNING last_seq - ?1";

const COUNT_REPLIES: &str = "
UPDATE messages
SET reply_count = reply_count + ?1, last_reply_at = ?2
WHERE community_id = ?3 AND id = ?4";

/// Stores a batch.
pub(super) async fn store(file: &SqliteFile, items: &[Item]) -> Result<Vec<Message>, Failure> {
    file.write(|transaction| {
        let increments = Increments::of(items);
        let counted = count(transaction, &increments)?;
        count_replies(transaction, &increments, counted.reserved.moment)?;
        let (rows, responses) = Rows::of(items, counted)?;
        insert(transaction, rows)?;
        Ok(responses)
    })
    .await
}

/// Reserves the numbers and adds to the counters of the channels.
fn count(transaction: &FileTransaction<'_>, increments: &Increments) -> Result<Counted> {
    let parameters = (increments.numbers, Timestamp::now().as_millis());
    let reserved = transaction.query(RESERVE, parameters, |row| {
        Ok(Reserved {
            first: row.get(0)?,
            moment: row.get(1)?,
        })
    })?;
    let missing = || Error::bug("the sequence of messages is missing");
    let reserved = reserved.into_iter().next().ok_or_else(missing)?;
    let mut before = HashMap::with_capacity(increments.channels.len());
    for ((community, channel), count) in &increments.channels {
        let parameters = (count, community.to_string(), channel.to_string());
        let counted = transaction.query(COUNT, parameters, |row| row.get(0))?;
        before.extend(counted.into_iter().map(|seq| (*channel, seq)));
    }
    Ok(Counted { reserved, before })
}

/// Adds to the reply counters of the parents.
fn count_replies(
    transaction: &FileTransaction<'_>,
    increments: &Increments,
    moment: i64,
) -> Result<()> {
    for ((community, parent), count) in &increments.replies {
        let parameters = (count, moment, community.to_string(), parent.to_string());
        if transaction.execute(COUNT_REPLIES, parameters)? == 0 {
            return Err(message_not_found());
        }
    }
    Ok(())
}

/// Stores all rows.
fn insert(transaction: &FileTransaction<'_>, rows: Rows) -> Result<()> {
    outbox::append_to_file(transaction, rows.events)?;
    idempotency::record_in_file(transaction, &rows.answers)?;
    let messages = rows.messages.into_iter();
    let messages: Vec<_> = messages.map(messages::Model::into_active_model).collect();
    transaction.insert::<messages::Entity>(&messages)
}
