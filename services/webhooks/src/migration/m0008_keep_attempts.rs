//! When a delivery was attempted last, and what became of the attempts before that one.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // SQLite adds one column at a time.
        for column in [
            big_integer_null("attempted_at"),
            json_null("earlier_attempts"),
            string_len_null("attempt_error", 255),
        ] {
            let add = Table::alter()
                .table("deliveries")
                .add_column(column)
                .to_owned();
            manager.alter_table(add).await?;
        }
        Ok(())
    }
}
