//! How many bytes the events of a workflow had on the day of the last one.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // SQLite adds one column at a time.
        for column in ["bytes_day", "bytes"] {
            let add = Table::alter()
                .table("workflows")
                .add_column(big_integer(column).default(0))
                .to_owned();
            manager.alter_table(add).await?;
        }
        Ok(())
    }
}
