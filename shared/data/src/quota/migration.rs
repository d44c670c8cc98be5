//! The table's migration, for the list of a service's migrations.

use sea_orm_migration::{prelude::*, schema::*};

/// Makes the table `quotas`.
#[derive(Debug, Clone, Copy)]
pub struct CreateQuotas;

impl MigrationName for CreateQuotas {
    fn name(&self) -> &str {
        "quotas_0001_create_quotas"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for CreateQuotas {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table("quotas")
            .col(string_len("community_id", 24))
            .col(small_integer("resource"))
            .col(integer("used"))
            .primary_key(Index::create().col("community_id").col("resource"))
            .to_owned();
        manager.create_table(table).await
    }
}
