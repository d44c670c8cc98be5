//! A bounded outbox: what is older than the retention goes, once every reader has it.

use std::{collections::HashSet, time::Duration};

use guildhall_data::{Database, failed};
use guildhall_runtime::{Result, Shutdown, Timestamp};
use sea_orm::{ExprTrait, QueryOrder, QuerySelect, entity::prelude::*};
use tokio::time::sleep;

use super::entity::{Column, Entity};
use crate::{
    Retention,
    cursor::{self, entity::Model as Cursor},
};

/// Rows that one step deletes at most.
const STEP: u64 = 500;
/// How long the sweeper rests when there is nothing left to do.
const REST: Duration = Duration::from_secs(60);

/// Sweeps again and again until `shutdown`.
pub(super) async fn run(database: Database, retention: Retention, shutdown: Shutdown) {
    let mut sweeper = Sweeper::of(&database, retention);
    loop {
        if let Err(error) = sweeper.round(Timestamp::now()).await {
            tracing::warn!(?error, "cannot sweep old events, trying again later");
        }
        tokio::select! {
            () = sleep(REST) => {}
            () = shutdown.started() => return,
        }
    }
}

/// Sweeps an outbox, in rounds with a rest in between.
///
/// A reader without a lease for the retention is not waited for. By the clock alone that could be
/// any of them, after a jump or a night with everything off: so it must have had none for a round.
#[derive(Debug)]
pub struct Sweeper {
    database: Database,
    retention: Retention,
    /// The readers that had no lease in the last round, as they were.
    lapsed: HashSet<Lapsed>,
}

/// Reader, partition, and until when somebody read.
type Lapsed = (String, i16, i64);

impl Sweeper {
    /// A sweeper that has not looked at any reader yet.
    #[must_use]
    pub fn of(database: &Database, retention: Retention) -> Self {
        Self {
            database: database.clone(),
            retention,
            lapsed: HashSet::new(),
        }
    }

    /// Deletes all that every reader has, and that at `now` is older than the retention.
    ///
    /// # Errors
    /// When the database fails; the next round tries again.
    pub async fn round(&mut self, now: Timestamp) -> Result<()> {
        let horizon = now.minus(self.retention.of_events()).as_millis();
        let cursors = cursor::all(&self.database).await?;
        if cursors.is_empty() {
            // There is no reader yet: nothing was delivered.
            return Ok(());
        }
        let lapsed = cursors.iter().filter(|it| it.leased_until < horizon);
        let lapsed: HashSet<_> = lapsed.map(as_it_is).collect();
        let gone: HashSet<_> = lapsed.intersection(&self.lapsed).collect();
        let readers = cursors.iter().filter(|it| !gone.contains(&as_it_is(it)));
        let everybody_has = readers.map(|it| it.position).min().unwrap_or(i64::MAX);
        self.lapsed = lapsed;
        while step(&self.database, horizon, everybody_has).await? {
            tokio::task::yield_now().await;
        }
        Ok(())
    }
}

fn as_it_is(cursor: &Cursor) -> Lapsed {
    (cursor.reader.clone(), cursor.partition, cursor.leased_until)
}

/// One step; says whether there may be more.
#[expect(clippy::disallowed_methods, reason = "expiry knows no community")]
async fn step(database: &Database, horizon: i64, everybody_has: i64) -> Result<bool> {
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
