//! The tables of a service that handles events, for the list of its migrations.

use sea_orm_migration::{prelude::*, schema::*};

/// Makes the tables `inbox` and `parked_events`, and what their sweeper and readers walk.
#[derive(Debug, Clone, Copy)]
pub struct CreateInbox;

impl MigrationName for CreateInbox {
    fn name(&self) -> &str {
        "events_0002_create_inbox"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for CreateInbox {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(inbox()).await?;
        manager.create_table(parked_events()).await?;
        manager
            .create_index(
                Index::create()
                    .name("inbox_received_at")
                    .table(Alias::new("inbox"))
                    .col(Alias::new("received_at"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(index(
                "parked_events_event",
                &["consumer", "event_id"],
                true,
            ))
            .await?;
        manager
            .create_index(index(
                "parked_events_key",
                &["consumer", "partition_key", "position"],
                false,
            ))
            .await
    }
}

fn inbox() -> TableCreateStatement {
    let column = Alias::new;
    Table::create()
        .table(column("inbox"))
        .col(string_len(column("consumer"), 32))
        .col(string_len(column("event_id"), 24))
        .col(big_integer(column("received_at")))
        .primary_key(
            Index::create()
                .col(column("consumer"))
                .col(column("event_id")),
        )
        .to_owned()
}

fn parked_events() -> TableCreateStatement {
    let column = Alias::new;
    Table::create()
        .table(column("parked_events"))
        .col(big_pk_auto(column("position")))
        .col(string_len(column("consumer"), 32))
        .col(string_len(column("event_id"), 24))
        .col(string_len(column("community_id"), 24))
        .col(string_len(column("partition_key"), 64))
        .col(binary(column("payload")))
        .col(integer(column("tries")))
        .col(text(column("error")))
        .col(big_integer(column("parked_at")))
        .col(boolean(column("replay")))
        .to_owned()
}

fn index(name: &str, columns: &[&'static str], unique: bool) -> IndexCreateStatement {
    let mut index = Index::create();
    index.name(name).table(Alias::new("parked_events"));
    for column in columns {
        index.col(Alias::new(*column));
    }
    if unique {
        index.unique();
    }
    index.to_owned()
}
