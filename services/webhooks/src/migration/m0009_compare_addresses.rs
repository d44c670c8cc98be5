//! Urls that differ only in what a receiver does not see are one address: their fingerprints are made
//! anew. Where a community has two webhooks of one address and the same events, one keeps the old
//! fingerprint, and both go on.

use sea_orm_migration::{
    prelude::*,
    sea_orm::{ConnectionTrait, QueryResult},
};

use crate::domain::{EventKinds, outgoing::fingerprint};

/// Webhooks that are read at once.
const STEP: u64 = 500;
const TABLE: &str = "outgoing_webhooks";

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        compare_all(manager.get_connection()).await
    }
}

async fn compare_all(connection: &impl ConnectionTrait) -> Result<(), DbErr> {
    let mut last = (String::new(), String::new());
    loop {
        let found = connection.query_all(&after(&last)).await?;
        for row in &found {
            let webhook = Compared::read(row)?;
            webhook.compare(connection).await?;
            last = (webhook.community, webhook.id);
        }
        if (found.len() as u64) < STEP {
            return Ok(());
        }
    }
}

/// The webhooks that follow one in the order of their key.
fn after((community, id): &(String, String)) -> SelectStatement {
    let next = Expr::col("community_id")
        .eq(community.as_str())
        .and(Expr::col("id").gt(id.as_str()));
    Query::select()
        .columns(["community_id", "id", "url", "events", "fingerprint"])
        .from(TABLE)
        .and_where(Expr::col("community_id").gt(community.as_str()).or(next))
        .order_by("community_id", Order::Asc)
        .order_by("id", Order::Asc)
        .limit(STEP)
        .to_owned()
}

/// A webhook as far as it is compared.
struct Compared {
    community: String,
    id: String,
    url: String,
    events: i32,
    fingerprint: Vec<u8>,
}

impl Compared {
    fn read(row: &QueryResult) -> Result<Self, DbErr> {
        Ok(Self {
            community: row.try_get_by_index(0)?,
            id: row.try_get_by_index(1)?,
            url: row.try_get_by_index(2)?,
            events: row.try_get_by_index(3)?,
            fingerprint: row.try_get_by_index(4)?,
        })
    }

    /// Gives a webhook the fingerprint of its address, unless another one has it.
    async fn compare(&self, connection: &impl ConnectionTrait) -> Result<(), DbErr> {
        // What cannot be read is not delivered to, and stays as it is.
        let Ok(url) = self.url.parse() else {
            return Ok(());
        };
        let new = fingerprint(&url, EventKinds::from_bits(self.events));
        if new == self.fingerprint {
            return Ok(());
        }
        let taken = Query::select()
            .column("id")
            .from(TABLE)
            .and_where(Expr::col("community_id").eq(self.community.as_str()))
            .and_where(Expr::col("fingerprint").eq(new.clone()))
            .to_owned();
        if connection.query_one(&taken).await?.is_some() {
            return Ok(());
        }
        let update = Query::update()
            .table(TABLE)
            .value("fingerprint", new)
            .and_where(Expr::col("community_id").eq(self.community.as_str()))
            .and_where(Expr::col("id").eq(self.id.as_str()))
            .to_owned();
        connection.execute(&update).await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use guildhall_data::{Database, Storage};

    use super::*;
    use crate::migration::Migrator;

    const COMMUNITY: &str = "c00000000000000000000001";

    /// A webhook as the release before stored it.
    fn stored(id: &str, url: &str, fingerprint: &str) -> InsertStatement {
        Query::insert()
            .into_table(TABLE)
            .columns([
                "community_id",
                "id",
                "name",
                "url",
                "fingerprint",
                "events",
                "channel_ids",
                "ignored_incoming_ids",
                "enabled",
                "active_since",
                "joins_on_bulk_import",
                "encrypted",
                "encryption_mode",
                "secret",
                "old_secrets",
                "consecutive_failures",
                "created_at",
                "updated_at",
            ])
            .values_panic([
                COMMUNITY.into(),
                id.into(),
                "CRM".into(),
                url.into(),
                fingerprint.as_bytes().to_vec().into(),
                8.into(),
                "[]".into(),
                "[]".into(),
                true.into(),
                0.into(),
                false.into(),
                false.into(),
                1.into(),
                vec![0_u8].into(),
                "[]".into(),
                0.into(),
                0.into(),
                0.into(),
            ])
            .to_owned()
    }

    #[tokio::test]
    async fn one_address_has_one_fingerprint_unless_it_is_taken() {
        let home = tempfile::tempdir().unwrap();
        let storage = Storage::files(home.path());
        let database = Database::open::<Migrator>(&storage, "webhooks");
        let database = database.await.unwrap();
        let transaction = database.begin().await.unwrap();
        let webhooks = [
            ("a00000000000000000000001", "https://a.example.#b", "first"),
            ("a00000000000000000000002", "https://a.example/", "second"),
            ("a00000000000000000000003", "https://b.example/", "third"),
        ];
        for (id, url, fingerprint) in webhooks {
            let insert = stored(id, url, fingerprint);
            transaction.execute(&insert).await.unwrap();
        }
        compare_all(&transaction).await.unwrap();
        let all = after(&(String::new(), String::new()));
        let rows = transaction.query_all(&all).await.unwrap();
        let now: Vec<_> = rows
            .iter()
            .map(|row| Compared::read(row).unwrap())
            .collect();
        let of = |url: &str| fingerprint(&url.parse().unwrap(), EventKinds::from_bits(8));
        assert_eq!(now[0].fingerprint, of("https://a.example/"));
        assert_eq!(now[1].fingerprint, b"second");
        assert_eq!(now[2].fingerprint, of("https://b.example/"));
        Database::roll_back(transaction).await.unwrap();
    }
}
