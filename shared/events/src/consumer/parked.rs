//! Events that could not be handled, and those behind them that have to wait for their order.

use std::collections::HashSet;

use guildhall_data::{CommunityId, Database, EventId, Transaction, failed};
use guildhall_proto::events::v1::Event;
use guildhall_runtime::{Error, Result, Timestamp};
use prost::Message;
use sea_orm::{
    ActiveValue::{NotSet, Set},
    ConnectionTrait, ExprTrait, QueryOrder, QuerySelect,
    entity::prelude::*,
};

use self::entity::{ActiveModel, Column, Entity, Model};

/// Of an error as much is kept as an operator reads.
const MAX_ERROR: usize = 2000;
/// Events that are counted at most.
const MAX_COUNT: u64 = 1000;
/// Events that are looked at in one step of a replay.
const STEP: u64 = 64;

/// The table `parked_events`, which each service that handles events has (see
/// [`super::migration`]).
pub mod entity {
    use super::*;

    /// An event that waits.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "parked_events")]
    pub struct Model {
        /// Rises in the order in which events were parked.
        #[sea_orm(primary_key)]
        pub position: i64,
        /// Who could not handle it.
        pub consumer: String,
        /// The event.
        pub event_id: EventId,
        /// The community in which it happened.
        pub community_id: CommunityId,
        /// Events of one key are handled in order, so those behind it wait, too.
        pub partition_key: String,
        /// The encoded event.
        pub payload: Vec<u8>,
        /// How often it was tried; 0 for one that only waits for its order.
        pub tries: i32,
        /// Why it failed; empty for one that only waits.
        pub error: String,
        /// When it was parked, in milliseconds.
        pub parked_at: i64,
        /// Whether an operator wants it to be tried again.
        pub replay: bool,
    }

    /// None: rows stand alone.
    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// What an operator sees of parked events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parked {
    /// Who could not handle it.
    pub consumer: String,
    /// The event.
    pub event: EventId,
    /// The community in which it happened.
    pub community: CommunityId,
    /// What is held up with it.
    pub key: String,
    /// How often it was tried; 0 for one that only waits for its order.
    pub tries: i32,
    /// Why it failed; empty for one that only waits.
    pub error: String,
    /// When it was parked.
    pub parked_at: Timestamp,
}

/// The parked events of a service, oldest first, at most `limit`.
///
/// # Errors
/// When the query fails.
#[expect(
    clippy::disallowed_methods,
    reason = "the operator's view knows no community"
)]
pub async fn list(database: &Database, limit: u64) -> Result<Vec<Parked>> {
    let rows = Entity::find()
        .order_by_asc(Column::Position)
        .limit(limit)
        .all(database.reader())
        .await
        .map_err(failed)?;
    let parked = rows.into_iter().map(|row| Parked {
        consumer: row.consumer,
        event: row.event_id,
        community: row.community_id,
        key: row.partition_key,
        tries: row.tries,
        error: row.error,
        parked_at: Timestamp::from_millis(row.parked_at),
    });
    Ok(parked.collect())
}

/// How many events of a consumer are parked, counted up to 1,000.
#[expect(
    clippy::disallowed_methods,
    reason = "an operator's figure knows no community"
)]
pub(crate) async fn count(database: &Database, consumer: &str) -> Result<i64> {
    let rows = Entity::find()
        .select_only()
        .column(Column::Position)
        .filter(Column::Consumer.eq(consumer))
        .limit(MAX_COUNT)
        .into_tuple::<i64>()
        .all(database.reader())
        .await
        .map_err(failed)?;
    Ok(i64::try_from(rows.len()).unwrap_or(i64::MAX))
}

/// Has parked events tried again, all or one, by the process that consumes now; how many.
///
/// # Errors
/// When the statement fails.
#[expect(clippy::disallowed_methods, reason = "for operators, past communities")]
pub async fn replay(database: &Database, event: Option<EventId>) -> Result<u64> {
    let transaction = database.begin().await?;
    let mut update = Entity::update_many()
        .col_expr(Column::Replay, Expr::val(true))
        .filter(Column::Tries.gt(0));
    if let Some(event) = event {
        update = update.filter(Column::EventId.eq(event));
    }
    let done = update.exec(&transaction).await.map_err(failed)?;
    Database::commit(transaction).await?;
    Ok(done.rows_affected)
}

/// Those of `keys` that events are parked of.
#[expect(clippy::disallowed_methods, reason = "a key belongs to one community")]
pub(super) async fn blocked(
    connection: &impl ConnectionTrait,
    consumer: &str,
    keys: HashSet<String>,
) -> Result<HashSet<String>> {
    let found = Entity::find()
        .select_only()
        .column(Column::PartitionKey)
        .distinct()
        .filter(Column::Consumer.eq(consumer))
        .filter(Column::PartitionKey.is_in(keys))
        .into_tuple::<String>()
        .all(connection)
        .await
        .map_err(failed)?;
    Ok(found.into_iter().collect())
}

/// Parks an event, after `tries` that failed with `error`; none for one that waits for its order.
pub(super) async fn park(
    transaction: &Transaction,
    consumer: &str,
    event: &Event,
    failure: Option<(i32, &Error)>,
) -> Result<()> {
    let (tries, error) = match failure {
        Some((tries, error)) => (tries, shortened(error)),
        None => (0, String::new()),
    };
    let row = ActiveModel {
        position: NotSet,
        consumer: Set(consumer.to_owned()),
        event_id: Set(event.id.parse().map_err(Error::internal)?),
        community_id: Set(event.community_id.parse().map_err(Error::internal)?),
        partition_key: Set(event.partition_key.clone()),
        payload: Set(event.encode_to_vec()),
        tries: Set(tries),
        error: Set(error),
        parked_at: Set(Timestamp::now().as_millis()),
        replay: Set(false),
    };
    Entity::insert(row)
        .on_conflict_do_nothing()
        .exec_without_returning(transaction)
        .await
        .map_err(failed)?;
    Ok(())
}

/// The first event of each key that shall be tried again: one that an operator wants, or one that
/// has nothing before it to wait for.
#[expect(clippy::disallowed_methods, reason = "a key belongs to one community")]
pub(super) async fn due(database: &Database, consumer: &str) -> Result<Vec<Model>> {
    let rows = Entity::find()
        .filter(Column::Consumer.eq(consumer))
        .filter(Column::Replay.eq(true).or(Column::Tries.eq(0)))
        .order_by_asc(Column::Position)
        .limit(STEP)
        .all(database.reader())
        .await
        .map_err(failed)?;
    let mut first = Vec::new();
    let mut seen = HashSet::new();
    for row in rows {
        if seen.insert(row.partition_key.clone()) && is_first(database, &row).await? {
            first.push(row);
        }
    }
    Ok(first)
}

#[expect(clippy::disallowed_methods, reason = "a key belongs to one community")]
async fn is_first(database: &Database, row: &Model) -> Result<bool> {
    let before = Entity::find()
        .select_only()
        .column(Column::Position)
        .filter(Column::Consumer.eq(&row.consumer))
        .filter(Column::PartitionKey.eq(&row.partition_key))
        .filter(Column::Position.lt(row.position))
        .limit(1)
        .into_tuple::<i64>()
        .one(database.reader())
        .await
        .map_err(failed)?;
    Ok(before.is_none())
}

/// It is handled in this transaction.
#[expect(clippy::disallowed_methods, reason = "a position is of one event")]
pub(super) async fn release(transaction: &Transaction, row: &Model) -> Result<()> {
    Entity::delete_many()
        .filter(Column::Position.eq(row.position))
        .exec(transaction)
        .await
        .map_err(failed)?;
    Ok(())
}

/// It failed again.
#[expect(clippy::disallowed_methods, reason = "a position is of one event")]
pub(super) async fn failed_again(database: &Database, row: &Model, error: &Error) -> Result<()> {
    let transaction = database.begin().await?;
    Entity::update_many()
        .col_expr(Column::Replay, Expr::val(false))
        .col_expr(Column::Tries, Expr::val(row.tries + 1))
        .col_expr(Column::Error, Expr::val(shortened(error)))
        .filter(Column::Position.eq(row.position))
        .exec(&transaction)
        .await
        .map_err(failed)?;
    Database::commit(transaction).await
}

fn shortened(error: &Error) -> String {
    let mut text = error.with_causes();
    text.truncate(text.floor_char_boundary(MAX_ERROR));
    text.replace('\0', "")
}
