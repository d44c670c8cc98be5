//! An emoji that is not known has one key in all its spellings: reactions whose key is spelled otherwise
//! get it, and those of one emoji are counted together.
//!
//! What replicas of the version before still add under other keys stays as it is, and is found by
//! `store::reactions`.

use sea_orm_migration::prelude::{
    sea_query::{Expr, ExprTrait, IntoCondition, Query, SelectStatement, SimpleExpr},
    *,
};

use crate::domain::Emoji;

/// Counters that are read at once.
const BATCH: u64 = 1000;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // All are found before the first message is locked: looking for them may take long.
        for (reactions, key) in misspelled(manager).await? {
            reactions.rekey(manager, &key).await?;
        }
        Ok(())
    }
}

/// The reactions to a message with one emoji.
struct Reactions {
    community: String,
    message: String,
    emoji: String,
}

/// The reactions whose key is not that of their emoji, with the right one.
async fn misspelled(manager: &SchemaManager<'_>) -> Result<Vec<(Reactions, String)>, DbErr> {
    let key = ["community_id", "message_id", "emoji"];
    let (mut last, mut found) = ([const { String::new() }; 3], Vec::new());
    loop {
        let after = Expr::tuple(key.map(Expr::col)).gt(Expr::tuple(last.map(Expr::value)));
        let mut batch = Query::select();
        batch.columns(key).from("reaction_counts").and_where(after);
        batch.order_by_columns(key.map(|column| (column, Order::Asc)));
        let rows = manager
            .get_connection()
            .query_all(batch.limit(BATCH))
            .await?;
        let Some(end) = rows.last() else {
            return Ok(found);
        };
        let of =
            |row: &sea_orm::QueryResult| row.try_get_many_by_index::<(String, String, String)>();
        last = of(end)?.into();
        for row in &rows {
            let (community, message, emoji) = of(row)?;
            // A key that is no emoji any more stays as it is.
            let right = Emoji::parse(&emoji).map_or(emoji.clone(), |right| right.to_string());
            if right != emoji {
                let reactions = Reactions {
                    community,
                    message,
                    emoji,
                };
                found.push((reactions, right));
            }
        }
    }
}

impl Reactions {
    async fn rekey(self, manager: &SchemaManager<'_>, key: &str) -> Result<(), DbErr> {
        let (of_old, of_key) = (|| self.with(&self.emoji), || self.with(key));
        let connection = manager.get_connection();
        // As who reacts does.
        let mut message = Query::select();
        message
            .expr(Expr::val(1))
            .from("messages")
            .and_where(self.of_community());
        message
            .and_where(Expr::col("id").eq(&self.message))
            .lock_exclusive();
        connection.query_all(&message).await?;

        let mut already = Query::select();
        already
            .column("user_id")
            .from("reactions")
            .and_where(of_key());
        let twice = of_old().and(Expr::col("user_id").in_subquery(already));
        delete(manager, "reactions", twice).await?;
        let mut rename = Query::update();
        rename
            .table("reactions")
            .value("emoji", key)
            .and_where(of_old());
        connection.execute(&rename).await?;

        let mut change = Query::update();
        change
            .table("reaction_counts")
            .value("count", number_of(of_key()));
        if let Some([position, updated_at]) = self.counter(manager).await? {
            let mut merged = Query::select();
            merged
                .columns(["position", "updated_at"])
                .from("reaction_counts")
                .and_where(of_key());
            match connection.query_one(&merged).await? {
                None => change.value("emoji", key).and_where(of_old()),
                Some(counter) => {
                    delete(manager, "reaction_counts", of_old()).await?;
                    let position = Ord::min(position, counter.try_get_by_index(0)?);
                    let updated_at = Ord::max(updated_at, counter.try_get_by_index(1)?);
                    change
                        .value("position", position)
                        .value("updated_at", updated_at);
                    change.and_where(of_key())
                }
            };
            connection.execute(&change).await?;
        }
        Ok(())
    }

    /// The position and the last change of these reactions' counter; a replica may have removed it.
    async fn counter(&self, manager: &SchemaManager<'_>) -> Result<Option<[i64; 2]>, DbErr> {
        let mut counter = Query::select();
        counter
            .columns(["position", "updated_at"])
            .from("reaction_counts");
        counter.and_where(self.with(&self.emoji));
        let row = manager.get_connection().query_one(&counter).await?;
        let read = |row: sea_orm::QueryResult| row.try_get_many_by_index::<(i64, i64)>();
        Ok(row.map(read).transpose()?.map(Into::into))
    }

    fn with(&self, emoji: &str) -> SimpleExpr {
        let of_message = Expr::col("message_id").eq(&self.message);
        self.of_community()
            .and(of_message)
            .and(Expr::col("emoji").eq(emoji))
    }

    fn of_community(&self) -> SimpleExpr {
        Expr::col("community_id").eq(&self.community)
    }
}

fn number_of(reactions: SimpleExpr) -> SimpleExpr {
    let mut number: SelectStatement = Query::select();
    number
        .expr(Expr::cust("COUNT(*)"))
        .from("reactions")
        .and_where(reactions);
    SimpleExpr::SubQuery(None, Box::new(number.into()))
}

async fn delete(
    manager: &SchemaManager<'_>,
    table: &'static str,
    which: impl IntoCondition,
) -> Result<(), DbErr> {
    let mut delete = Query::delete();
    delete.from_table(table).cond_where(which);
    manager.get_connection().execute(&delete).await.map(drop)
}
