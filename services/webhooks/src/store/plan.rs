//! How the database would answer a query, for tests that refuse scans.

use guildhall_data::{Database, Storage};
use sea_orm::{ConnectionTrait, DbBackend, EntityTrait, QueryTrait, Select, Statement};

use crate::migration::Migrator;

/// Panics unless the query walks `index` and sorts nothing.
pub async fn assert_runs_along<E: EntityTrait>(index: &str, query: Select<E>) {
    let plan = of(query.build(DbBackend::Sqlite)).await;
    let runs_along = plan.len() == 1 && plan[0].contains(&format!("INDEX {index} ("));
    assert!(runs_along, "{index}: {plan:?}");
}

/// The steps of a statement's plan.
pub async fn of(mut statement: Statement) -> Vec<String> {
    let directory = tempfile::tempdir().unwrap();
    let database = Database::open::<Migrator>(&Storage::files(directory.path()), "plan")
        .await
        .unwrap();
    statement.sql = format!("EXPLAIN QUERY PLAN {}", statement.sql);
    let rows = database.reader().query_all_raw(statement).await.unwrap();
    let step = |row: &sea_orm::QueryResult| row.try_get::<String>("", "detail").unwrap();
    rows.iter().map(step).collect()
}
