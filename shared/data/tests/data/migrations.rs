//! A migration that is cut in half is done again as a whole.

use std::sync::atomic::{AtomicBool, Ordering};

use guildhall_data::{Database, Storage};
use sea_orm_migration::{prelude::*, schema::*};

/// Whether the process "dies" in the middle of the migration.
static CUT: AtomicBool = AtomicBool::new(true);

struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(TwoTables)]
    }
}

/// It says nothing of transactions, as most do; on SQLite it would have none.
struct TwoTables;

impl MigrationName for TwoTables {
    fn name(&self) -> &str {
        "m0001_two_tables"
    }
}

fn table(name: &'static str) -> TableCreateStatement {
    Table::create().table(name).col(integer("id")).to_owned()
}

#[async_trait::async_trait]
impl MigrationTrait for TwoTables {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(table("first")).await?;
        if CUT.swap(false, Ordering::Relaxed) {
            return Err(DbErr::Custom("cut in half".into()));
        }
        manager.create_table(table("second")).await
    }
}

#[tokio::test]
async fn a_migration_cut_in_half_does_not_keep_the_service_from_starting() {
    let directory = tempfile::tempdir().unwrap();
    let storage = Storage::files(directory.path());
    let cut = Database::open::<Migrator>(&storage, "test").await;
    assert!(cut.unwrap_err().with_causes().contains("cut in half"));
    let again = Database::open::<Migrator>(&storage, "test").await;
    again.unwrap();
}
