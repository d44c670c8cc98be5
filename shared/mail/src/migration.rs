//! The table's migration, for the list of a service's migrations.

use sea_orm_migration::{prelude::*, schema::*};

/// Makes the table `mails`, and the indexes that a mailer and its sweeper walk.
#[derive(Debug, Clone, Copy)]
pub struct CreateMails;

impl MigrationName for CreateMails {
    fn name(&self) -> &str {
        "mail_0001_create_mails"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for CreateMails {
    // Not the default on SQLite: half a change would keep the service from ever starting again.
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(mails()).await?;
        manager
            .create_index(by("mails_due", "next_attempt_at"))
            .await?;
        manager.create_index(by("mails_done", "done_at")).await
    }
}

fn mails() -> TableCreateStatement {
    Table::create()
        .table("mails")
        .col(string_len("community_id", 24))
        .col(string_len("id", 24))
        .col(string_len("recipient", 254))
        .col(string_len("subject", 200))
        .col(text("text"))
        .col(small_integer("status"))
        .col(integer("attempts"))
        .col(text_null("last_error"))
        .col(big_integer("created_at"))
        .col(big_integer_null("next_attempt_at"))
        .col(big_integer_null("done_at"))
        .primary_key(Index::create().col("community_id").col("id"))
        .to_owned()
}

/// Across communities: a mailer sends for all of them.
fn by(name: &'static str, column: &'static str) -> IndexCreateStatement {
    Index::create()
        .name(name)
        .table("mails")
        .col(column)
        .to_owned()
}
