use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table("login_attempts")
                    .col(string_len("community_id", 24))
                    .col(binary("subject"))
                    .col(integer("attempts"))
                    .col(big_integer("expires_at"))
                    .primary_key(Index::create().col("community_id").col("subject"))
                    .to_owned(),
            )
            .await?;
        let expiry = Index::create()
            .name("login_attempts_expiry")
            .table("login_attempts")
            .col("expires_at")
            .to_owned();
        manager.create_index(expiry).await
    }
}
