//! Bounded tables: what has expired goes, in small steps.

use std::time::Duration;

use guildhall_runtime::{Result, Shutdown, Timestamp};
use sea_orm::{EntityTrait, QueryFilter, QueryOrder, QuerySelect, entity::prelude::*};

use crate::{Database, failed};

/// Rows that one step deletes at most (more only when they share a millisecond).
const STEP: u64 = 500;

/// How long the sweeper rests when there is nothing left to do.
const REST: Duration = Duration::from_secs(60);

/// Deletes rows of `E` whose `column` (milliseconds, indexed) lies further back than `age`,
/// again and again until `shutdown`.
pub fn start<E: EntityTrait>(
    database: Database,
    column: E::Column,
    age: Duration,
    shutdown: Shutdown,
) where
    E::Column: Send + Sync,
{
    tokio::spawn(async move {
        loop {
            match step::<E>(&database, column, age).await {
                Ok(true) => tokio::task::yield_now().await,
                Ok(false) => {
                    tokio::select! {
                        () = tokio::time::sleep(REST) => {}
                        () = shutdown.started() => return,
                    }
                }
                Err(error) => {
                    tracing::warn!(?error, "cannot sweep expired rows, trying again later");
                    tokio::select! {
                        () = tokio::time::sleep(REST) => {}
                        () = shutdown.started() => return,
                    }
                }
            }
        }
    });
}

/// One step; says whether there may be more.
///
/// # Errors
/// When the database fails; the next step tries again.
#[expect(clippy::disallowed_methods, reason = "expiry knows no community")]
pub async fn step<E: EntityTrait>(
    database: &Database,
    column: E::Column,
    age: Duration,
) -> Result<bool> {
    let horizon = Timestamp::now().minus(age).as_millis();
    let full = E::find()
        .select_only()
        .column(column)
        .filter(column.lte(horizon))
        .order_by_asc(column)
        .offset(STEP - 1)
        .limit(1)
        .into_tuple::<i64>()
        .one(database.reader())
        .await
        .map_err(failed)?;
    let transaction = database.begin().await?;
    E::delete_many()
        .filter(column.lte(full.unwrap_or(horizon)))
        .exec(&transaction)
        .await
        .map_err(failed)?;
    Database::commit(transaction).await?;
    Ok(full.is_some())
}
