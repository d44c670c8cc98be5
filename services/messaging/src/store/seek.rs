//! Finds a time or a number in a list that is ordered by position.
//!
//! Times and numbers rise with positions, so a binary search in the index of the list finds them:
//! no scan, and no index of their own.

use guildhall_data::{CommunityId, failed};
use guildhall_runtime::Result;
use sea_orm::{ConnectionTrait, QueryOrder, QuerySelect, Select, entity::prelude::*};

use super::{
    listing::{Along, Range},
    messages::{Column, Entity},
};

/// What is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// A time, in milliseconds.
    Time(i64),
    /// The number of a message, which need not exist.
    Number(i64),
}

impl Key {
    fn column(self) -> Column {
        match self {
            Self::Time(_) => Column::CreatedAt,
            Self::Number(_) => Column::Number,
        }
    }

    fn value(self) -> i64 {
        match self {
            Self::Time(millis) => millis,
            Self::Number(number) => number,
        }
    }
}

/// The first position whose message, and every later one, is not before `key`.
///
/// # Errors
/// When a query fails.
pub async fn first_not_before(
    connection: &impl ConnectionTrait,
    community: CommunityId,
    along: Along,
    key: Key,
) -> Result<i64> {
    let Some(last) = last_position(connection, community, along).await? else {
        return Ok(0);
    };
    // Every position below `below` is before the key, every position from `from` on is not.
    let (mut below, mut from) = (0, last + 1);
    while below < from {
        let middle = below + (from - below) / 2;
        let range = Range {
            from: middle,
            to: from,
        };
        match probe(connection, community, along, range, key.column()).await? {
            Some((position, value)) if value < key.value() => below = position + 1,
            Some(_) | None => from = middle,
        }
    }
    Ok(from)
}

/// The first message in a range: its position and its value in `column`.
async fn probe(
    connection: &impl ConnectionTrait,
    community: CommunityId,
    along: Along,
    range: Range,
    column: Column,
) -> Result<Option<(i64, i64)>> {
    let query = probe_query(community, along, range, column);
    query.into_tuple().one(connection).await.map_err(failed)
}

fn probe_query(
    community: CommunityId,
    along: Along,
    range: Range,
    column: Column,
) -> Select<Entity> {
    let position = along.column();
    along
        .rows(community)
        .select_only()
        .column_as(position, "position")
        .column_as(column, "value")
        .filter(position.gte(range.from))
        .filter(position.lt(range.to))
        .order_by_asc(position)
        .limit(1)
}

async fn last_position(
    connection: &impl ConnectionTrait,
    community: CommunityId,
    along: Along,
) -> Result<Option<i64>> {
    let query = last_query(community, along);
    query.into_tuple().one(connection).await.map_err(failed)
}

fn last_query(community: CommunityId, along: Along) -> Select<Entity> {
    let rows = along.rows(community).select_only().column(along.column());
    rows.order_by_desc(along.column()).limit(1)
}

#[cfg(test)]
mod tests {
    use guildhall_data::ChannelId;

    use super::*;
    use crate::store::plan;

    #[tokio::test]
    async fn a_probe_is_one_look_up_in_an_index() {
        let cases = [
            (Along::Channel(ChannelId::generate()), "messages_by_channel"),
            (Along::Community, "messages_by_number"),
        ];
        for (along, index) in cases {
            let probe = probe_query(
                CommunityId::generate(),
                along,
                Range::ALL,
                Column::CreatedAt,
            );
            plan::assert_runs_along(index, probe).await;
            plan::assert_runs_along(index, last_query(CommunityId::generate(), along)).await;
        }
    }
}
