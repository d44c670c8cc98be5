//! The query plan of the database, for tests that refuse scans.

use guildhall_data::{Database, Storage};
use sea_orm::{ConnectionTrait, EntityTrait, QueryTrait, Select};

use crate::migration::Migrator;

/// Panics unless the query reads along `index` and sorts nothing.
pub async fn assert_runs_along<E: EntityTrait>(index: &str, query: Select<E>) {
    let directory = tempfile::tempdir().unwrap();
    let database = Database::open::<Migrator>(&Storage::files(directory.path()), "plan")
        .await
        .unwrap();
    let connection = database.reader();
    let mut statement = query.build(connection.get_database_backend());
    statement.sql = format!("EXPLAIN QUERY PLAN {}", statement.sql);
    let mut plan = Vec::new();
    for row in connection.query_all_raw(statement).await.unwrap() {
        plan.push(row.try_get::<String>("", "detail").unwrap());
    }
    let runs_along = plan.len() == 1 && plan[0].contains(&format!("INDEX {index} ("));
    assert!(runs_along, "{index}: {plan:?}");
}
