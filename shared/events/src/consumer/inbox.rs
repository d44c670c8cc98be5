//! What a consumer has handled: an event that comes ten times is handled once.

use std::collections::HashSet;

use guildhall_data::{EventId, Transaction, failed};
use guildhall_runtime::{Result, Timestamp};
use sea_orm::{
    ActiveValue::Set,
    ConnectionTrait, IdenStatic, QueryTrait,
    entity::prelude::*,
    sea_query::{OnConflict, Query},
};

/// The table `inbox`, which each service that handles events has (see [`super::migration`]).
pub mod entity {
    use super::*;

    /// An event that was handled.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "inbox")]
    pub struct Model {
        /// Who handled it.
        #[sea_orm(primary_key, auto_increment = false)]
        pub consumer: String,
        /// The event.
        #[sea_orm(primary_key, auto_increment = false)]
        pub event_id: EventId,
        /// When, in milliseconds.
        pub received_at: i64,
    }

    /// None: rows stand alone.
    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Writes down that `events` are handled in this transaction; answers those that were not before.
/// Another transaction that handles one of them now is waited for.
pub(super) async fn receive(
    transaction: &Transaction,
    consumer: &str,
    events: Vec<EventId>,
) -> Result<HashSet<EventId>> {
    if events.is_empty() {
        return Ok(HashSet::new());
    }
    let now = Timestamp::now().as_millis();
    let rows = events.into_iter().map(|event| entity::ActiveModel {
        consumer: Set(consumer.to_owned()),
        event_id: Set(event),
        received_at: Set(now),
    });
    let mut insert = entity::Entity::insert_many(rows).into_query();
    insert
        .on_conflict(OnConflict::new().do_nothing().to_owned())
        .returning(Query::returning().column(entity::Column::EventId));
    let rows = transaction.query_all(&insert).await.map_err(failed)?;
    let ids = rows
        .iter()
        .map(|row| row.try_get_by(entity::Column::EventId.as_str()));
    ids.collect::<Result<_, _>>().map_err(failed)
}
