//! A channel of a million messages and one of ten thousand.

use guildhall_testkit::Cluster;
use sqlx::PgPool;

use super::{checkpoint, community::Community};
use crate::Result;

/// Messages of the short channel.
const SHORT: u32 = 10_000;

/// Messages of a page.
pub const PAGE: u32 = 50;

/// Numbers and places for messages, as the group insert takes them.
const RESERVE: &str = "
WITH reserved AS (
    UPDATE sequences SET last_number = last_number + $1 WHERE name = 'messages'
    RETURNING last_number - $1 AS base
), counted AS (
    UPDATE channels SET last_seq = last_seq + $1 WHERE id = $2
    RETURNING last_seq - $1 AS before
)
SELECT base, before FROM reserved, counted";

/// Copies of the channel's one message, by all members in turn.
const FILL: &str = "
INSERT INTO messages
SELECT filled.*
FROM messages AS one, generate_series(1, $1) AS turn,
    LATERAL jsonb_populate_record(one, jsonb_build_object(
        'id', lpad(to_hex(one.created_at), 12, '0') || lpad(to_hex($3 + turn), 12, '0'),
        'number', $3 + turn,
        'seq', $4 + turn,
        'user_id', ($5::text[])[1 + turn % cardinality($5::text[])],
        -- Each has its own time: a page goes on to the end of a moment.
        'created_at', one.created_at - $1 + turn
    )) AS filled
WHERE one.channel_id = $2 AND one.seq = 1";

/// The channels to list.
#[derive(Debug, Clone)]
pub struct Lists {
    /// The long channel.
    pub long: String,
    /// The short one.
    pub short: String,
    /// The message in the long one before which the oldest page lies.
    pub behind_oldest: String,
}

impl Lists {
    /// Makes and fills them.
    ///
    /// # Errors
    /// When a statement fails.
    pub async fn fill(cluster: &Cluster, community: &Community, messages: u32) -> Result<Self> {
        let pool = cluster.database("messaging");
        let long = community.make_channel("A long one").await;
        let short = community.make_channel("A short one").await;
        for (channel, count) in [(&long, messages), (&short, SHORT.min(messages))] {
            eprintln!("filling a channel with {count} messages …");
            community.send_to(channel).await;
            fill(&pool, community, channel, count).await?;
        }
        sqlx::raw_sql("VACUUM ANALYZE messages")
            .execute(&pool)
            .await?;
        checkpoint(cluster).await?;
        let behind = "SELECT id FROM messages WHERE channel_id = $1 AND seq = $2";
        let behind = sqlx::query_scalar(behind)
            .bind(&long)
            .bind(i64::from(PAGE) + 1);
        Ok(Self {
            behind_oldest: behind.fetch_one(&pool).await?,
            long,
            short,
        })
    }

    /// The page of a channel's newest messages.
    #[must_use]
    pub fn newest(channel: &str) -> String {
        format!("/v1/messages?channel_id={channel}&count={PAGE}")
    }

    /// The page of the long channel's oldest messages.
    #[must_use]
    pub fn oldest(&self) -> String {
        format!("{}&before={}", Self::newest(&self.long), self.behind_oldest)
    }
}

/// Fills a channel that has one message up to `count`.
async fn fill(pool: &PgPool, community: &Community, channel: &str, count: u32) -> Result<()> {
    let more = i64::from(count) - 1;
    let members: Vec<_> = community
        .demo
        .users
        .iter()
        .map(|user| user._id.clone())
        .collect();
    let mut transaction = pool.begin().await?;
    let reserve = sqlx::query_as(RESERVE).bind(more).bind(channel);
    let (base, before): (i64, i64) = reserve.fetch_one(&mut *transaction).await?;
    let fill = sqlx::query(FILL)
        .bind(more)
        .bind(channel)
        .bind(base)
        .bind(before);
    fill.bind(members).execute(&mut *transaction).await?;
    Ok(transaction.commit().await?)
}
