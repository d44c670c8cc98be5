//! Outgoing webhooks.

use sea_orm_migration::{prelude::*, schema::*};

use super::id;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(outgoing_webhooks()).await?;
        manager.create_index(outgoing_webhooks_by_target()).await
    }
}

fn outgoing_webhooks() -> TableCreateStatement {
    Table::create()
        .table("outgoing_webhooks")
        .col(id("community_id"))
        .col(id("id"))
        .col(string_len("name", 100))
        .col(string_len("url", 2048))
        .col(binary("fingerprint"))
        .col(integer("events"))
        .col(json("channel_ids"))
        .col(json("ignored_incoming_ids"))
        .col(boolean("enabled"))
        .col(big_integer("active_since"))
        .col(boolean("joins_on_bulk_import"))
        .col(boolean("encrypted"))
        .col(small_integer("encryption_mode"))
        .col(binary_null("encryption_key"))
        .col(binary_null("api_key"))
        .col(binary("secret"))
        .col(json("old_secrets"))
        .col(integer("consecutive_failures"))
        .col(big_integer_null("failing_since"))
        .col(small_integer_null("disabled_reason"))
        .col(big_integer("created_at"))
        .col(big_integer("updated_at"))
        .primary_key(Index::create().col("community_id").col("id"))
        .to_owned()
}

/// No two webhooks of a community have the same url and events.
fn outgoing_webhooks_by_target() -> IndexCreateStatement {
    Index::create()
        .name("outgoing_webhooks_by_target")
        .table("outgoing_webhooks")
        .col("community_id")
        .col("fingerprint")
        .unique()
        .to_owned()
}
