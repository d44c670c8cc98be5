//! Reactions, and how often each emoji stands under a message.

use sea_orm_migration::{prelude::*, schema::*};

use super::id;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(reactions()).await?;
        manager.create_index(reactions_by_age()).await?;
        manager.create_table(reaction_counts()).await
    }
}

fn reactions() -> TableCreateStatement {
    Table::create()
        .table("reactions")
        .col(id("community_id"))
        .col(id("message_id"))
        .col(string_len("emoji", 192))
        .col(id("user_id"))
        .col(big_integer("created_at"))
        .primary_key(
            Index::create()
                .col("community_id")
                .col("message_id")
                .col("emoji")
                .col("user_id"),
        )
        .to_owned()
}

/// Who reacted first is shown first.
fn reactions_by_age() -> IndexCreateStatement {
    Index::create()
        .name("reactions_by_age")
        .table("reactions")
        .col("community_id")
        .col("message_id")
        .col("emoji")
        .col("created_at")
        .col("user_id")
        .to_owned()
}

fn reaction_counts() -> TableCreateStatement {
    Table::create()
        .table("reaction_counts")
        .col(id("community_id"))
        .col(id("message_id"))
        .col(string_len("emoji", 192))
        .col(big_integer("count"))
        .col(big_integer("position"))
        .col(big_integer("updated_at"))
        .primary_key(
            Index::create()
                .col("community_id")
                .col("message_id")
                .col("emoji"),
        )
        .to_owned()
}
