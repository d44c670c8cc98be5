//! All that a platform keeps of a community: a refused call changes nothing of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, Statement, Value};

use crate::{Community, database};

/// Tables that may change although nothing was done, and why. Every other one counts.
const VOLATILE: &[(&str, &str)] = &[
    ("login_attempts", "a refused login is counted"),
    ("event_cursors", "how far events have been passed on"),
    ("inbox", "earlier events arrive meanwhile"),
    ("seaql_migrations", "the platform's own"),
    ("sequences", "numbers of all communities"),
    ("seal_upgrades", "the platform's own"),
    ("signing_keys", "keys of all communities"),
];

/// The column by which a table is a community's, where it is another.
const COLUMNS: &[(&str, &str)] = &[("communities", "id")];

/// Every row of a community, by service and table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fingerprint(BTreeMap<String, BTreeSet<String>>);

impl Fingerprint {
    /// What is stored of `community` in all tables of all services.
    ///
    /// # Panics
    /// When a table neither names its community nor is declared to be volatile.
    pub async fn of(community: &Community) -> Self {
        let mut tables = BTreeMap::new();
        for (service, database) in database::all(&community.platform).await {
            for table in names(&database).await {
                if VOLATILE.iter().any(|(volatile, _)| *volatile == table) {
                    continue;
                }
                let rows = rows(&database, &table, &community.demo.community_id).await;
                tables.insert(format!("{service}.{table}"), rows);
            }
        }
        Self(tables)
    }

    /// Fails the test when anything has changed since.
    ///
    /// # Panics
    /// With the rows that were added, removed or changed.
    #[track_caller]
    pub fn assert_is(&self, before: &Self) {
        let mut changes = String::new();
        for (table, rows) in &self.0 {
            let old = before.0.get(table).cloned().unwrap_or_default();
            for row in rows.difference(&old) {
                let _ = writeln!(changes, "{table} + {row:.300}");
            }
            for row in old.difference(rows) {
                let _ = writeln!(changes, "{table} - {row:.300}");
            }
        }
        assert!(
            changes.is_empty(),
            "what was stored has changed:\n{changes}"
        );
    }
}

fn is_postgres(database: &DatabaseConnection) -> bool {
    database.get_database_backend() == DbBackend::Postgres
}

async fn names(database: &DatabaseConnection) -> Vec<String> {
    let query = if is_postgres(database) {
        "SELECT table_name::text AS name FROM information_schema.tables \
         WHERE table_schema = 'public' ORDER BY 1"
    } else {
        "SELECT name FROM sqlite_master \
         WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY 1"
    };
    texts(database, query, []).await
}

async fn columns(database: &DatabaseConnection, table: &str) -> Vec<String> {
    let query = if is_postgres(database) {
        "SELECT column_name::text AS name FROM information_schema.columns \
         WHERE table_schema = 'public' AND table_name = $1"
    } else {
        "SELECT name FROM pragma_table_info($1)"
    };
    texts(database, query, [table]).await
}

/// The rows of a community as texts.
async fn rows(database: &DatabaseConnection, table: &str, community: &str) -> BTreeSet<String> {
    let other = COLUMNS.iter().find(|(other, _)| *other == table);
    let key = other.map_or("community_id", |(_, column)| column);
    let columns = columns(database, table).await;
    assert!(
        columns.iter().any(|column| column == key),
        "{table} does not say whose its rows are: should it be VOLATILE?"
    );
    let row = if is_postgres(database) {
        format!("\"{table}\"::text")
    } else {
        let quoted = columns.iter().map(|column| format!("quote(\"{column}\")"));
        quoted.collect::<Vec<_>>().join(" || ',' || ")
    };
    let query = format!("SELECT {row} AS name FROM \"{table}\" WHERE \"{key}\" = $1");
    let rows = texts(database, &query, [community]).await;
    rows.into_iter().collect()
}

async fn texts<const N: usize>(
    database: &DatabaseConnection,
    query: &str,
    values: [&str; N],
) -> Vec<String> {
    let values = values.map(Value::from);
    let query = Statement::from_sql_and_values(database.get_database_backend(), query, values);
    let rows = database.query_all_raw(query).await.expect("rows");
    let texts = rows.iter().map(|row| row.try_get("", "name"));
    texts.map(|text| text.expect("a text")).collect()
}
