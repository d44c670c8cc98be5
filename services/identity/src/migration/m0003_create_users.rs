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
                    .table("users")
                    .col(string_len("community_id", 24))
                    .col(string_len("id", 24))
                    .col(big_integer("number"))
                    .col(string_len("person_id", 24))
                    .col(string("username"))
                    .col(string("username_key"))
                    .col(string("email"))
                    .col(string("email_key"))
                    .col(string("display_name"))
                    .col(string("first_name"))
                    .col(string("last_name"))
                    .col(string("avatar"))
                    .col(string_null("password_hash"))
                    .col(boolean("is_email_verified"))
                    .col(integer("role"))
                    .col(integer("status"))
                    .col(big_integer("tokens_valid_after"))
                    .col(big_integer("created_at"))
                    .col(big_integer("updated_at"))
                    .primary_key(Index::create().col("community_id").col("id"))
                    .foreign_key(
                        ForeignKey::create()
                            .from("users", "community_id")
                            .to("communities", "id"),
                    )
                    .to_owned(),
            )
            .await?;
        // The lower-cased forms are what is unique: `Ada` and `ada` are one member.
        for column in ["number", "username_key", "email_key"] {
            let unique = Index::create()
                .name(format!("users_{column}"))
                .table("users")
                .col("community_id")
                .col(column)
                .unique()
                .to_owned();
            manager.create_index(unique).await?;
        }
        Ok(())
    }
}
