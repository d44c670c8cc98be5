//! The group insert on SQLite, where a statement costs a call and no way over the network.

use std::collections::HashMap;

use guildhall_data::{failed, idempotency};
use guildhall_events::outbox;
use guildhall_runtime::Result;
use sea_orm::{DatabaseTransaction, ExprTrait, IntoActiveModel, entity::prelude::*};

use super::batch::{Counted, Rows, Wanted, by_count};
use crate::store::{channels, messages, sequences};

/// Reserves the numbers and adds to the counters of the channels.
pub(super) async fn count(transaction: &DatabaseTransaction, wanted: &Wanted) -> Result<Counted> {
    let reserved = sequences::reserve(transaction, wanted.numbers).await?;
    let mut before = HashMap::with_capacity(wanted.channels.len());
    for ((community, count), channels) in by_count(&wanted.channels) {
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
        before.extend(
            counted
                .into_iter()
                .map(|channel| (channel.id, channel.last_seq - count)),
        );
    }
    Ok(Counted { reserved, before })
}

/// Stores all rows.
pub(super) async fn insert(transaction: &DatabaseTransaction, rows: Rows) -> Result<()> {
    outbox::append(transaction, rows.events).await?;
    idempotency::record_all(transaction, rows.answers).await?;
    // A batch has at most 512 rows of 18 values: far below SQLite's limit of 32,766.
    let messages = rows.messages.into_iter();
    messages::Entity::insert_many(messages.map(messages::Model::into_active_model))
        .exec_without_returning(transaction)
        .await
        .map_err(failed)?;
    Ok(())
}
