//! Whether a message has reactions, at the message: a page of messages without looks for none.

use sea_orm_migration::{prelude::*, schema::boolean, sea_orm::DbBackend};

#[derive(DeriveMigrationName)]
pub struct Migration;

/// A trigger and no code of ours: replicas that know nothing of the column react, too.
const ON_SQLITE: &str = "
CREATE TRIGGER reaction_counts_mark AFTER INSERT ON reaction_counts
BEGIN
    UPDATE messages SET reacted = true
    WHERE community_id = NEW.community_id AND id = NEW.message_id AND NOT reacted;
END";

const ON_POSTGRES: &str = "
CREATE FUNCTION mark_reacted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE messages SET reacted = true
    WHERE community_id = NEW.community_id AND id = NEW.message_id AND NOT reacted;
    RETURN NULL;
END $$;
CREATE TRIGGER reaction_counts_mark AFTER INSERT ON reaction_counts
FOR EACH ROW EXECUTE FUNCTION mark_reacted()";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // True of every message that is there, and of those that older replicas still store: for
        // them it is looked up.
        let reacted = boolean("reacted").default(true).to_owned();
        let messages = Table::alter().table("messages").add_column(reacted).take();
        manager.alter_table(messages).await?;
        let trigger = if manager.get_database_backend() == DbBackend::Postgres {
            ON_POSTGRES
        } else {
            ON_SQLITE
        };
        manager.get_connection().execute_unprepared(trigger).await?;
        Ok(())
    }
}
