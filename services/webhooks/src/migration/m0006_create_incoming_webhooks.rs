//! Webhooks that are called from outside.

use sea_orm_migration::{prelude::*, schema::*};

use super::id;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(incoming_webhooks()).await?;
        manager.create_index(incoming_webhooks_by_age()).await?;
        manager.create_index(incoming_webhooks_by_address()).await
    }
}

fn incoming_webhooks() -> TableCreateStatement {
    Table::create()
        .table("incoming_webhooks")
        .col(id("community_id"))
        .col(id("id"))
        .col(string_len("name", 100))
        .col(small_integer("kind"))
        .col(string_len("address", 32))
        .col(binary("settings"))
        .col(boolean("api_key_enabled"))
        .col(binary_null("api_key_digest"))
        .col(boolean("encryption_enabled"))
        .col(small_integer("encryption_mode"))
        .col(binary_null("encryption_key"))
        .col(boolean("enabled"))
        .col(big_integer("created_at"))
        .col(big_integer("updated_at"))
        .col(big_integer_null("last_used_at"))
        .primary_key(Index::create().col("community_id").col("id"))
        .to_owned()
}

/// The list runs along it.
fn incoming_webhooks_by_age() -> IndexCreateStatement {
    Index::create()
        .name("incoming_webhooks_by_age")
        .table("incoming_webhooks")
        .col("community_id")
        .col("created_at")
        .col("id")
        .to_owned()
}

/// Without the community: who calls says nothing but the address.
fn incoming_webhooks_by_address() -> IndexCreateStatement {
    Index::create()
        .name("incoming_webhooks_by_address")
        .table("incoming_webhooks")
        .col("address")
        .unique()
        .to_owned()
}
