//! Usernames, e-mail addresses and slugs are compared in Unicode's caseless forms, no longer in lower
//! case alone. For ASCII, these are the same.
//!
//! A row whose new key another row has keeps its own: it is found by exactly what it is called
//! (`domain::key`). So is what a replica of the version before writes meanwhile; such a replica does
//! not find the rows that were changed here by other spellings than the new key.

use guildhall_types::fold;
use sea_orm_migration::prelude::{
    sea_query::{Expr, ExprTrait, IntoCondition, Query},
    *,
};

use crate::domain::slug::slug;

/// Rows that are read at once.
const BATCH: u64 = 500;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        fold_users(manager).await?;
        fold_slugs(manager).await
    }
}

async fn fold_users(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let columns = [
        "community_id",
        "id",
        "username",
        "username_key",
        "email",
        "email_key",
    ];
    let mut last = (String::new(), String::new());
    loop {
        let after = Expr::tuple([Expr::col("community_id"), Expr::col("id")])
            .gt(Expr::tuple([last.0.into(), last.1.into()]));
        let mut batch = Query::select();
        batch.columns(columns).from("users").and_where(after);
        batch
            .order_by("community_id", Order::Asc)
            .order_by("id", Order::Asc)
            .limit(BATCH);
        let rows = manager.get_connection().query_all(&batch).await?;
        let Some(end) = rows.last() else {
            return Ok(());
        };
        last = (end.try_get_by_index(0)?, end.try_get_by_index(1)?);
        for row in rows {
            let (community, id, username, username_key, email, email_key): (
                String,
                String,
                String,
                String,
                String,
                String,
            ) = row.try_get_many_by_index()?;
            let user = User { community, id };
            user.rename(
                manager,
                "username_key",
                &username_key,
                fold::name(&username),
            )
            .await?;
            user.rename(manager, "email_key", &email_key, fold::address(&email))
                .await?;
        }
    }
}

struct User {
    community: String,
    id: String,
}

impl User {
    /// Gives the user a new key, unless another user of the community has it.
    async fn rename(
        &self,
        manager: &SchemaManager<'_>,
        column: &'static str,
        old: &str,
        new: String,
    ) -> Result<(), DbErr> {
        if new == old {
            return Ok(());
        }
        let of_community = || Expr::col("community_id").eq(&self.community);
        let taken = of_community().and(Expr::col(column).eq(&new));
        if !is_taken(manager, "users", taken).await? {
            let this = of_community().and(Expr::col("id").eq(&self.id));
            return set(manager, "users", column, new, this).await;
        }
        let (community, user) = (&self.community, &self.id);
        tracing::warn!(%community, %user, column, "another user has the same name now, and keeps it");
        Ok(())
    }
}

async fn fold_slugs(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut last = String::new();
    loop {
        let mut batch = Query::select();
        batch
            .columns(["id", "slug"])
            .from("communities")
            .and_where(Expr::col("id").gt(last));
        batch.order_by("id", Order::Asc).limit(BATCH);
        let rows = manager.get_connection().query_all(&batch).await?;
        let Some(end) = rows.last() else {
            return Ok(());
        };
        last = end.try_get_by_index(0)?;
        for row in rows {
            let (id, old): (String, String) = row.try_get_many_by_index()?;
            // What is ASCII was made of letters and digits, and stays.
            let Some(new) = id
                .parse()
                .ok()
                .filter(|_| !old.is_ascii())
                .map(|id| slug(&old, id))
            else {
                continue;
            };
            if new == old {
                continue;
            }
            if is_taken(manager, "communities", Expr::col("slug").eq(&new)).await? {
                tracing::warn!(community = %id, "another community has the same slug now, and keeps it");
                continue;
            }
            set(manager, "communities", "slug", new, Expr::col("id").eq(id)).await?;
        }
    }
}

async fn is_taken(
    manager: &SchemaManager<'_>,
    table: &'static str,
    by: impl IntoCondition,
) -> Result<bool, DbErr> {
    let mut other = Query::select();
    other.expr(Expr::val(1)).from(table).cond_where(by).limit(1);
    Ok(manager.get_connection().query_one(&other).await?.is_some())
}

async fn set(
    manager: &SchemaManager<'_>,
    table: &'static str,
    column: &'static str,
    value: String,
    of: impl IntoCondition,
) -> Result<(), DbErr> {
    let mut change = Query::update();
    change.table(table).value(column, value).cond_where(of);
    manager.get_connection().execute(&change).await.map(drop)
}
