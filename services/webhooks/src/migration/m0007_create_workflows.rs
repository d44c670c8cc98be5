//! Workflows, which tell of events elsewhere.

use sea_orm_migration::{prelude::*, schema::*};

use super::id;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(workflows()).await?;
        manager.create_index(workflows_by_id()).await
    }
}

fn workflows() -> TableCreateStatement {
    Table::create()
        .table("workflows")
        .col(id("community_id"))
        .col(id("id"))
        .col(string_len("name", 100))
        .col(binary("api_key_digest"))
        .col(big_integer("created_at"))
        .primary_key(Index::create().col("community_id").col("id"))
        .to_owned()
}

/// Without the community: who calls says nothing but the id.
fn workflows_by_id() -> IndexCreateStatement {
    Index::create()
        .name("workflows_by_id")
        .table("workflows")
        .col("id")
        .unique()
        .to_owned()
}
