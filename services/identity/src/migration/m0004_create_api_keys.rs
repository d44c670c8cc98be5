use sea_orm_migration::{
    prelude::{sea_query::ConditionalStatement, *},
    schema::*,
};

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
                    .table("api_keys")
                    .col(string_len("community_id", 24))
                    .col(string_len("id", 24))
                    .col(integer("kind"))
                    .col(string_len("owner_id", 24))
                    .col(string("name"))
                    .col(binary("digest"))
                    .col(string("masked"))
                    .col(string_len("user_id", 24))
                    .col(json("permissions"))
                    .col(json("channel_ids"))
                    .col(integer("expire_period_days"))
                    .col(big_integer_null("expires_at"))
                    .col(boolean("is_active"))
                    .col(big_integer("created_at"))
                    .col(big_integer_null("deleted_at"))
                    .primary_key(Index::create().col("community_id").col("id"))
                    .foreign_key(
                        ForeignKey::create()
                            .from("api_keys", ("community_id", "user_id"))
                            .to("users", ("community_id", "id")),
                    )
                    .to_owned(),
            )
            .await?;
        manager.create_index(digest()).await?;
        manager.create_index(live_name()).await
    }
}

/// A key is found by its digest before anybody knows its community.
fn digest() -> IndexCreateStatement {
    Index::create()
        .name("api_keys_digest")
        .table("api_keys")
        .col("digest")
        .unique()
        .to_owned()
}

/// Among the live keys of one owner and kind, a name is unique. The system key always has the
/// same name, so a community has one.
fn live_name() -> IndexCreateStatement {
    Index::create()
        .name("api_keys_live_name")
        .table("api_keys")
        .col("community_id")
        .col("owner_id")
        .col("kind")
        .col("name")
        .unique()
        .and_where(Expr::col("deleted_at").is_null())
        .to_owned()
}
