//! Messages, and the sequence of their numbers.

use sea_orm_migration::{prelude::*, schema::*};

use super::{id, id_null};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(sequences()).await?;
        manager.execute(first_number()).await?;
        manager.create_table(messages()).await?;
        for index in [
            by_channel(),
            by_number(),
            by_author(),
            by_parent(),
            by_topic(),
        ] {
            manager.create_index(index).await?;
        }
        Ok(())
    }
}

fn sequences() -> TableCreateStatement {
    Table::create()
        .table("sequences")
        .col(string_len("name", 32).primary_key())
        .col(big_integer("last_number"))
        .col(big_integer("last_moment"))
        .to_owned()
}

fn first_number() -> InsertStatement {
    Query::insert()
        .into_table("sequences")
        .columns(["name", "last_number", "last_moment"])
        .values_panic(["messages".into(), 0_i64.into(), 0_i64.into()])
        .to_owned()
}

fn messages() -> TableCreateStatement {
    Table::create()
        .table("messages")
        .col(id("community_id"))
        .col(id("id"))
        .col(big_integer("number"))
        .col(id("channel_id"))
        .col(big_integer("seq"))
        .col(id_null("user_id"))
        .col(id_null("topic_id"))
        .col(id_null("parent_id"))
        .col(big_integer_null("parent_number"))
        .col(small_integer("kind"))
        .col(text("text"))
        .col(binary_null("details"))
        .col(boolean("direct"))
        .col(boolean("encrypted"))
        .col(big_integer("reply_count"))
        .col(big_integer_null("last_reply_at"))
        .col(big_integer("created_at"))
        .primary_key(Index::create().col("community_id").col("id"))
        .to_owned()
}

fn index(name: &str, columns: &[&'static str]) -> IndexCreateStatement {
    let mut index = Index::create().name(name).table("messages").to_owned();
    for column in columns {
        index.col(*column);
    }
    index
}

/// The order of a channel, and its live stream.
fn by_channel() -> IndexCreateStatement {
    let columns = ["community_id", "channel_id", "seq"];
    index("messages_by_channel", &columns).unique().to_owned()
}

/// The order of a community, direct messages apart.
fn by_number() -> IndexCreateStatement {
    let columns = ["community_id", "direct", "number"];
    index("messages_by_number", &columns).unique().to_owned()
}

fn by_author() -> IndexCreateStatement {
    index(
        "messages_by_author",
        &["community_id", "user_id", "direct", "number"],
    )
}

/// Most messages are no replies and need no entry.
fn by_parent() -> IndexCreateStatement {
    index("messages_by_parent", &["community_id", "parent_id", "seq"])
        .and_where(Expr::col("parent_id").is_not_null())
        .to_owned()
}

/// Most messages stand in no forum and need no entry.
fn by_topic() -> IndexCreateStatement {
    index("messages_by_topic", &["community_id", "topic_id", "seq"])
        .and_where(Expr::col("topic_id").is_not_null())
        .to_owned()
}
