//! The group insert on PostgreSQL: two statements a batch, whatever its size, because each is a way
//! over the network.

use std::collections::HashMap;

use guildhall_data::{Backend, ChannelId, failed, idempotency, unnest};
use guildhall_events::outbox::{self, NewEvent};
use guildhall_runtime::{Error, Result, Timestamp};
use sea_orm::{
    DatabaseTransaction, IntoActiveModel, QueryResult, Statement,
    entity::prelude::*,
    sea_query::{ArrayType, Value},
};

use super::batch::{Counted, Rows, Wanted};
use crate::store::{messages, sequences::Reserved};

/// The sequence comes first, because the channels are joined to it: who holds it is alone, so
/// channels cannot wait crosswise.
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

/// Reserves the numbers and adds to the counters of the channels.
pub(super) async fn count(transaction: &DatabaseTransaction, wanted: &Wanted) -> Result<Counted> {
    let mut arguments = unnest::Arguments::default();
    arguments.push(wanted.numbers);
    arguments.push(Timestamp::now().as_millis());
    let (communities, channels) = wanted
        .channels
        .keys()
        .copied()
        .unzip::<_, _, Vec<_>, Vec<_>>();
    let counts = wanted.channels.values().copied();
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
        return Ok(Err(Error::bug("the sequence of messages is gone")));
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

/// Stores all rows in one statement.
pub(super) async fn insert(transaction: &DatabaseTransaction, rows: Rows) -> Result<()> {
    let mut arguments = unnest::Arguments::default();
    let messages = rows.messages.into_iter();
    let messages = messages.map(messages::Model::into_active_model).collect();
    let messages = unnest::insert::<messages::Entity>(messages, &mut arguments)?;
    let events = rows.events.into_iter().map(NewEvent::into_row).collect();
    let events = unnest::insert::<outbox::entity::Entity>(events, &mut arguments)?;
    let wanted = rows.answers.len();
    let text = if wanted == 0 {
        format!("WITH told AS ({events}) {messages}")
    } else {
        let answers = idempotency::record_unnested(rows.answers, &mut arguments)?;
        format!("WITH told AS ({events}), stored AS ({messages}) {answers}")
    };
    let done = transaction.execute_raw(statement(&text, arguments)).await;
    let recorded = done.map_err(failed)?.rows_affected();
    if wanted > 0 && recorded != wanted as u64 {
        return Err(idempotency::in_flight());
    }
    Ok(())
}

fn statement(text: &str, arguments: unnest::Arguments) -> Statement {
    Statement::from_sql_and_values(Backend::Postgres.into(), text, arguments.into_values())
}
