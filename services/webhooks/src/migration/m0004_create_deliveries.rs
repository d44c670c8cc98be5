//! Deliveries: events on their way to outgoing webhooks, and what became of them.

use sea_orm_migration::{prelude::*, schema::*};

use super::id;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(deliveries()).await?;
        manager.create_index(deliveries_by_event()).await?;
        manager.create_index(deliveries_due()).await?;
        manager.create_index(deliveries_by_status()).await?;
        manager.create_index(deliveries_by_age()).await
    }
}

/// The ids begin with the moment: the list of a webhook's deliveries runs along the key.
fn deliveries() -> TableCreateStatement {
    Table::create()
        .table("deliveries")
        .col(id("community_id"))
        .col(id("webhook_id"))
        .col(id("id"))
        .col(string_len("event_id", 36))
        .col(small_integer("event"))
        .col(big_integer("event_time"))
        .col(text("body"))
        .col(small_integer("status"))
        .col(integer("attempts"))
        .col(integer_null("response_status"))
        .col(binary_null("response_body"))
        .col(string_len_null("error", 255))
        .col(big_integer_null("duration_ms"))
        .col(big_integer_null("next_attempt_at"))
        .col(big_integer_null("claimed_until"))
        .col(big_integer("created_at"))
        .primary_key(
            Index::create()
                .col("community_id")
                .col("webhook_id")
                .col("id"),
        )
        .to_owned()
}

/// An event goes to a webhook once.
fn deliveries_by_event() -> IndexCreateStatement {
    Index::create()
        .name("deliveries_by_event")
        .table("deliveries")
        .col("community_id")
        .col("webhook_id")
        .col("event_id")
        .unique()
        .to_owned()
}

/// What is attempted next, and which webhooks have something due: only what waits is in it.
fn deliveries_due() -> IndexCreateStatement {
    Index::create()
        .name("deliveries_due")
        .table("deliveries")
        .col("community_id")
        .col("webhook_id")
        .col("next_attempt_at")
        .and_where(Expr::col("next_attempt_at").is_not_null())
        .to_owned()
}

fn deliveries_by_status() -> IndexCreateStatement {
    Index::create()
        .name("deliveries_by_status")
        .table("deliveries")
        .col("community_id")
        .col("webhook_id")
        .col("status")
        .col("id")
        .to_owned()
}

/// The sweeper walks it, over all communities.
fn deliveries_by_age() -> IndexCreateStatement {
    Index::create()
        .name("deliveries_by_age")
        .table("deliveries")
        .col("created_at")
        .to_owned()
}
