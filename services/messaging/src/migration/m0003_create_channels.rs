//! Channels, and who takes part or announces in them.

use sea_orm_migration::{prelude::*, schema::*};

use super::id;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(channels()).await?;
        manager.create_index(channels_by_age()).await?;
        manager.create_index(channels_by_url()).await?;
        manager.create_table(channel_members()).await?;
        manager.create_index(channels_of_a_member()).await
    }
}

fn channels() -> TableCreateStatement {
    Table::create()
        .table("channels")
        .col(id("community_id"))
        .col(id("id"))
        .col(string_len("topic", 100))
        .col(small_integer("kind"))
        .col(string_len("description", 1000))
        .col(id("creator_id"))
        .col(big_integer("creator_number"))
        .col(boolean("frozen"))
        .col(string_len_null("url", 100))
        .col(big_integer("last_seq"))
        .col(big_integer("created_at"))
        .col(big_integer("updated_at"))
        .primary_key(Index::create().col("community_id").col("id"))
        .to_owned()
}

/// Lists of channels run along it, a kind at a time.
fn channels_by_age() -> IndexCreateStatement {
    Index::create()
        .name("channels_by_age")
        .table("channels")
        .col("community_id")
        .col("kind")
        .col("created_at")
        .col("id")
        .to_owned()
}

fn channels_by_url() -> IndexCreateStatement {
    Index::create()
        .name("channels_by_url")
        .table("channels")
        .col("community_id")
        .col("url")
        .unique()
        .to_owned()
}

fn channel_members() -> TableCreateStatement {
    Table::create()
        .table("channel_members")
        .col(id("community_id"))
        .col(id("channel_id"))
        .col(small_integer("part"))
        .col(id("user_id"))
        .col(big_integer("channel_created_at"))
        .primary_key(
            Index::create()
                .col("community_id")
                .col("channel_id")
                .col("part")
                .col("user_id"),
        )
        .to_owned()
}

/// The list of a member's direct-message channels runs along it.
fn channels_of_a_member() -> IndexCreateStatement {
    Index::create()
        .name("channels_of_a_member")
        .table("channel_members")
        .col("community_id")
        .col("user_id")
        .col("part")
        .col("channel_created_at")
        .col("channel_id")
        .to_owned()
}
