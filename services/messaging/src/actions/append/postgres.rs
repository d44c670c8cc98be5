//! The group insert on PostgreSQL: two statements per batch, whatever its size, because each is a
//! round trip.

use std::collections::{BTreeMap, HashMap};

use guildhall_data::{
    Backend, ChannelId, CommunityId, Database, MessageId, Tenant, Transaction, failed,
    group_commit::Failure, idempotency, unnest,
};
use guildhall_events::outbox::{self, NewEvent};
use guildhall_proto::messaging::v1::Message;
use guildhall_runtime::{Error, Result, Timestamp};
use sea_orm::{
    ExprTrait, IntoActiveModel, QueryResult, Statement,
    entity::prelude::*,
    sea_query::{ArrayType, Value},
};

use super::{
    Item,
    batch::{Counted, Increments, Rows},
    in_time,
};
use crate::{
    domain::access::message_not_found,
    store::{messages, sequences::Reserved},
};

/// The sequence is locked first, because the channels are joined to it: one batch at a time holds
/// it, so batches cannot deadlock on channels.
const COUNT: &str = "
WITH reserved AS (
    UPDATE sequences
    SET last_number = last_number + $1, last_moment = GREATEST(last_moment, $2)
    WHERE name = 'messages'
    RETURNING last_number - $1 + 1 AS first, last_moment AS moment
), counted AS (
    UPDATE channels
    SET last_seq = channels.last_seq + wanted.count
    FROM reserved, unnest($3, $4, $5) AS wanted(community_id, id, count)
    WHERE channels.community_id = wanted.community_id AND channels.id = wanted.id
    RETURNING channels.id, channels.last_seq - wanted.count AS before
)
SELECT reserved.first, reserved.moment, counted.id, counted.before
FROM reserved LEFT JOIN counted ON true";

/// Stores a batch.
pub(super) async fn store(database: &Database, items: &[Item]) -> Result<Vec<Message>, Failure> {
    let written = in_time(write(database, items)).await;
    let (transaction, answers) = written.map_err(Failure::RolledBack)?;
    in_time(Database::commit(transaction))
        .await
        .map_err(Failure::Unknown)?;
    Ok(answers)
}

/// Does everything up to the COMMIT.
async fn write(database: &Database, items: &[Item]) -> Result<(Transaction, Vec<Message>)> {
    let transaction = database.begin_batch().await?;
    let increments = Increments::of(items);
    let counted = count(&transaction, &increments).await?;
    count_replies(&transaction, &increments.replies, counted.reserved.moment).await?;
    let (rows, responses) = Rows::of(items, counted)?;
    insert(&transaction, rows).await?;
    Ok((transaction, responses))
}

/// Reserves the numbers and adds to the counters of the channels.
async fn count(transaction: &Transaction, increments: &Increments) -> Result<Counted> {
    let mut arguments = unnest::Arguments::default();
    arguments.push(increments.numbers);
    arguments.push(Timestamp::now().as_millis());
    let (communities, channels) = increments
        .channels
        .keys()
        .copied()
        .unzip::<_, _, Vec<_>, Vec<_>>();
    let counts = increments.channels.values().copied();
    arguments.push_all(
        ArrayType::String,
        communities.into_iter().map(Value::from).collect(),
    );
    arguments.push_all(
        ArrayType::String,
        channels.into_iter().map(Value::from).collect(),
    );
    arguments.push_all(ArrayType::BigInt, counts.map(Value::from).collect());
    let statement = statement(COUNT, arguments);
    let rows = transaction.query_all_raw(statement).await.map_err(failed)?;
    counted(&rows).map_err(failed)?
}

fn counted(rows: &[QueryResult]) -> Result<Result<Counted>, DbErr> {
    let Some(first) = rows.first() else {
        return Ok(Err(Error::bug("the sequence of messages is missing")));
    };
    let reserved = Reserved {
        first: first.try_get_by_index(0)?,
        moment: first.try_get_by_index(1)?,
    };
    let mut before = HashMap::with_capacity(rows.len());
    for row in rows {
        let channel: Option<ChannelId> = row.try_get_by_index(2)?;
        if let Some(channel) = channel {
            before.insert(channel, row.try_get_by_index(3)?);
        }
    }
    Ok(Ok(Counted { reserved, before }))
}

/// Adds to the reply counters of the parents, with one statement for all that grow by the same
/// number.
async fn count_replies(
    transaction: &Transaction,
    replies: &BTreeMap<(CommunityId, MessageId), i64>,
    moment: i64,
) -> Result<()> {
    let mut groups: BTreeMap<_, Vec<MessageId>> = BTreeMap::new();
    for ((community, parent), count) in replies {
        groups
            .entry((*community, *count))
            .or_default()
            .push(*parent);
    }
    for ((community, count), parents) in groups {
        let expected = parents.len() as u64;
        let counted = messages::Entity::changing(community)
            .col_expr(
                messages::Column::ReplyCount,
                Expr::col(messages::Column::ReplyCount).add(count),
            )
            .col_expr(messages::Column::LastReplyAt, Expr::val(moment))
            .filter(messages::Column::Id.is_in(parents))
            .exec(transaction)
            .await
            .map_err(failed)?;
        if counted.rows_affected != expected {
            return Err(message_not_found());
        }
    }
    Ok(())
}

/// Stores all rows in one statement.
async fn insert(transaction: &Transaction, rows: Rows) -> Result<()> {
    let mut arguments = unnest::Arguments::default();
    let messages = rows.messages.into_iter();
    let messages = messages.map(messages::Model::into_active_model).collect();
    let messages = unnest::insert::<messages::Entity>(messages, &mut arguments)?;
    let events = rows.events.into_iter().map(NewEvent::into_row).collect();
    let events = unnest::insert::<outbox::entity::Entity>(events, &mut arguments)?;
    let expected = rows.answers.len();
    let text = if expected == 0 {
        format!("WITH inserted_events AS ({events}) {messages}")
    } else {
        let answers = idempotency::record_unnested(rows.answers, &mut arguments)?;
        format!("WITH inserted_events AS ({events}), inserted_messages AS ({messages}) {answers}")
    };
    let done = transaction.execute_raw(statement(&text, arguments)).await;
    let recorded = done.map_err(failed)?.rows_affected();
    if expected > 0 && recorded != expected as u64 {
        return Err(idempotency::recorded_meanwhile());
    }
    Ok(())
}

fn statement(text: &str, arguments: unnest::Arguments) -> Statement {
    Statement::from_sql_and_values(Backend::Postgres.into(), text, arguments.into_values())
}
