//! How many webhooks and workflows a community has.

use sea_orm_migration::{prelude::*, schema::*};

use super::id;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(quotas()).await
    }
}

fn quotas() -> TableCreateStatement {
    Table::create()
        .table("quotas")
        .col(id("community_id"))
        .col(small_integer("resource"))
        .col(integer("used"))
        .primary_key(Index::create().col("community_id").col("resource"))
        .to_owned()
}
