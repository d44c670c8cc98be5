//! A bounded outbox: what is older than the retention goes, once every reader has it.

use std::time::Duration;

use guildhall_data::{Database, failed};
use guildhall_runtime::{Result, Shutdown, Timestamp};
use sea_orm::{ExprTrait, QueryOrder, QuerySelect, entity::prelude::*};
use tokio::time::sleep;

use super::entity::{Column, Entity};
use crate::{cursor, retention::Retention};

/// Rows that one step deletes at most.
const STEP: u64 = 500;
/// How long the sweeper rests when there is nothing left to do.
const REST: Duration = Duration::from_secs(60);

/// Sweeps again and again until `shutdown`.
pub(super) async fn run(database: Database, retention: Retention, shutdown: Shutdown) {
    loop {
        match step(&database, retention, Timestamp::now()).await {
            Ok(true) => {
                tokio::task::yield_now().await;
                continue;
            }
            Ok(false) => {}
            Err(error) => {
                tracing::warn!(?error, "cannot sweep old events, trying again later");
            }
        }
        tokio::select! {
            () = sleep(REST) => {}
            () = shutdown.started() => return,
        }
    }
}

/// One step; says whether there may be more.
///
/// # Errors
/// When the database fails; the next step tries again.
#[expect(clippy::disallowed_methods, reason = "expiry knows no community")]
pub async fn step(database: &Database, retention: Retention, now: Timestamp) -> Result<bool> {
    let horizon = now.minus(retention.of_events()).as_millis();
    let everybody_has = cursor::slowest(database, horizon)
        .await?
        .unwrap_or(i64::MAX);
    let old = Column::CreatedAt.lte(horizon);
    let old = old.and(Column::Position.lte(everybody_has));
    let last = Entity::find()
        .select_only()
        .column(Column::Position)
        .filter(old.clone())
        .order_by_asc(Column::Position)
        .limit(STEP)
        .into_tuple::<i64>()
        .all(database.reader())
        .await
        .map_err(failed)?;
    let Some(newest) = last.last() else {
        return Ok(false);
    };
    let transaction = database.begin().await?;
    Entity::delete_many()
        .filter(old)
        .filter(Column::Position.lte(*newest))
        .exec(&transaction)
        .await
        .map_err(failed)?;
    Database::commit(transaction).await?;
    Ok(last.len() as u64 == STEP)
}
