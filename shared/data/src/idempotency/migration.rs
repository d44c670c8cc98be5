//! The table's migration, for the list of a service's migrations.

use sea_orm_migration::{prelude::*, schema::*};

/// Makes the table `idempotency_keys` and the index that its sweeper walks.
#[derive(Debug, Clone, Copy)]
pub struct CreateIdempotencyKeys;

impl MigrationName for CreateIdempotencyKeys {
    fn name(&self) -> &str {
        "m0001_create_idempotency_keys"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for CreateIdempotencyKeys {
    // Not the default on SQLite: half a change would keep the service from ever starting again.
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Alias::new("idempotency_keys");
        let key = ["community_id", "credential", "rpc", "key"].map(Alias::new);
        let mut primary = Index::create();
        for column in key.clone() {
            primary.col(column);
        }
        manager
            .create_table(
                Table::create()
                    .table(table.clone())
                    .col(string_len(key[0].clone(), 24))
                    .col(string(key[1].clone()))
                    .col(string(key[2].clone()))
                    .col(string(key[3].clone()))
                    .col(binary(Alias::new("request_hash")))
                    .col(binary(Alias::new("answer")))
                    .col(big_integer(Alias::new("expires_at")))
                    .primary_key(&mut primary)
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(
                Index::create()
                    .name("idempotency_keys_expiry")
                    .table(table)
                    .col(Alias::new("expires_at"))
                    .to_owned(),
            )
            .await
    }
}
