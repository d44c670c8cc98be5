//! What PostgreSQL's planner knows of a table that grows quickly.
//!
//! Its own look comes once a minute. Until then a table that was empty is planned as if it still
//! were, and each of a hundred thousand rows may be read again and again.

use std::time::Duration;

use guildhall_runtime::{Result, Shutdown};
use sea_orm::{ConnectionTrait, EntityName, Statement};
use tokio::time::sleep;

use crate::{Backend, Database, failed};

/// How often is looked whether a table has grown.
const LOOK: Duration = Duration::from_secs(1);

/// Whether more was written to a table than it had when it was last analysed, and some more.
const HAS_GROWN: &str = "
SELECT statistics.n_mod_since_analyze > 500 + greatest(class.reltuples, 0)
FROM pg_stat_user_tables AS statistics JOIN pg_class AS class ON class.oid = statistics.relid
WHERE statistics.relid = CAST($1 AS regclass)";

/// Has the table of `E` analysed whenever it has doubled, until `shutdown`.
pub fn keep<E: EntityName + Default>(database: &Database, shutdown: &Shutdown) {
    if database.backend() == Backend::Sqlite {
        return;
    }
    let (database, shutdown) = (database.clone(), shutdown.clone());
    let table = E::default().table_name().to_owned();
    tokio::spawn(async move {
        loop {
            tokio::select! {
                () = sleep(LOOK) => {}
                () = shutdown.started() => return,
            }
            // What is not known now is known a second later, or by PostgreSQL's own look.
            if let Err(error) = step(&database, &table).await {
                tracing::debug!(?error, table, "cannot analyse");
            }
        }
    });
}

async fn step(database: &Database, table: &str) -> Result<()> {
    let backend = database.backend().into();
    let look = Statement::from_sql_and_values(backend, HAS_GROWN, [table.into()]);
    let row = database.reader().query_one_raw(look).await;
    let Some(row) = row.map_err(failed)? else {
        return Ok(());
    };
    if row.try_get_by_index(0).map_err(failed)? {
        let transaction = database.begin().await?;
        let analyse = format!("ANALYZE \"{table}\"");
        transaction
            .execute_unprepared(&analyse)
            .await
            .map_err(failed)?;
        Database::commit(transaction).await?;
    }
    Ok(())
}
