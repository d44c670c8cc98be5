//! Topics of forum channels.

use sea_orm_migration::{prelude::*, schema::*};

use super::id;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(topics()).await?;
        manager.create_index(topics_by_age()).await?;
        manager.create_index(open_topics_by_title()).await
    }
}

fn topics() -> TableCreateStatement {
    Table::create()
        .table("topics")
        .col(id("community_id"))
        .col(id("id"))
        .col(id("channel_id"))
        .col(string_len("title", 200))
        .col(string_len("description", 1000))
        .col(id("creator_id"))
        .col(boolean("closed"))
        .col(boolean("pinned"))
        .col(big_integer("created_at"))
        .primary_key(Index::create().col("community_id").col("id"))
        .to_owned()
}

fn topics_by_age() -> IndexCreateStatement {
    Index::create()
        .name("topics_by_age")
        .table("topics")
        .col("community_id")
        .col("channel_id")
        .col("created_at")
        .col("id")
        .to_owned()
}

/// A title is unique among the open topics of its channel.
fn open_topics_by_title() -> IndexCreateStatement {
    Index::create()
        .name("open_topics_by_title")
        .table("topics")
        .col("community_id")
        .col("channel_id")
        .col("title")
        .unique()
        .and_where(Expr::col("closed").eq(false))
        .to_owned()
}
