//! Values of an older format are sealed anew, once in the life of a database.
//!
//! That needs the platform's secret, which migrations do not have. So a service does it when it
//! opens, after its migrations, in a transaction that also records that it is done. From then on
//! the older format is refused: who can write into the database cannot bring it back.

use guildhall_runtime::{Result, Timestamp};
use sea_orm::{
    ConnectionTrait, DbBackend,
    sea_query::{Expr, ExprTrait, Query},
};

use crate::{Database, Transaction, failed};

const TABLE: &str = "seal_upgrades";

/// An upgrade that is under way. Dropped, it is rolled back.
#[derive(Debug)]
pub struct Upgrade {
    transaction: Transaction,
    name: &'static str,
}

impl Upgrade {
    /// Begins the upgrade of this name; none if it is done. Processes that start together wait for
    /// each other.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn begin(database: &Database, name: &'static str) -> Result<Option<Self>> {
        if is_done(database.reader(), name).await? {
            return Ok(None);
        }
        let transaction = database.begin().await?;
        // A SQLite file has one transaction that writes in any case.
        if transaction.get_database_backend() == DbBackend::Postgres {
            let lock = format!("LOCK TABLE {TABLE} IN SHARE ROW EXCLUSIVE MODE");
            transaction
                .execute_unprepared(&lock)
                .await
                .map_err(failed)?;
        }
        if is_done(&transaction, name).await? {
            Database::roll_back(transaction).await?;
            return Ok(None);
        }
        Ok(Some(Self { transaction, name }))
    }

    /// Where values are read and sealed anew.
    #[must_use]
    pub fn transaction(&self) -> &Transaction {
        &self.transaction
    }

    /// Records that it is done, and commits.
    ///
    /// # Errors
    /// When the database fails: the next start does it.
    pub async fn finish(self) -> Result<()> {
        let done = Query::insert()
            .into_table(TABLE)
            .columns(["name", "done_at"])
            .values_panic([self.name.into(), Timestamp::now().as_millis().into()])
            .to_owned();
        self.transaction.execute(&done).await.map_err(failed)?;
        Database::commit(self.transaction).await
    }
}

async fn is_done(connection: &impl ConnectionTrait, name: &str) -> Result<bool> {
    let done = Query::select()
        .column("name")
        .from(TABLE)
        .and_where(Expr::col("name").eq(name))
        .to_owned();
    let found = connection.query_one(&done).await.map_err(failed)?;
    Ok(found.is_some())
}

/// The table's migration, for the list of a service's migrations.
pub mod migration {
    use sea_orm_migration::{prelude::*, schema::*};

    /// Makes the table `seal_upgrades`.
    #[derive(Debug, Clone, Copy)]
    pub struct CreateSealUpgrades;

    impl MigrationName for CreateSealUpgrades {
        fn name(&self) -> &str {
            "seal_0001_create_seal_upgrades"
        }
    }

    #[async_trait::async_trait]
    impl MigrationTrait for CreateSealUpgrades {
        async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
            let table = Table::create()
                .table(super::TABLE)
                .col(string_len("name", 64).primary_key())
                .col(big_integer("done_at"))
                .to_owned();
            manager.create_table(table).await
        }
    }
}
