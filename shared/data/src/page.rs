//! Keyset pages and opaque page tokens (AIP-158).
//!
//! A list is ordered by columns that name a row; the token of a page holds their values in its last
//! row, and the next page begins behind it. Rows that come or go meanwhile repeat and hide no other.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use guildhall_runtime::{Error, Result};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, ExprTrait, Order, QueryFilter, QueryOrder,
    QuerySelect, QueryTrait, Select,
    sea_query::{Expr, Func, IntoValueTuple, Query},
};
use serde::{Serialize, de::DeserializeOwned};

use crate::failed;

/// The longest token that is looked at.
const MAX_TOKEN: usize = 512;

/// What a list allows.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Rows of a page when the request does not say.
    pub default_size: u64,
    /// Rows of a page at most.
    pub max_size: u64,
    /// Rows that a request may leave out before its page.
    pub max_skip: u64,
}

/// Which part of a list a request asks for; `K` is what names a row in its order.
#[derive(Debug, Clone)]
pub struct PageRequest<K> {
    size: u64,
    skip: u64,
    after: Option<K>,
}

/// Rows of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The rows.
    pub rows: Vec<T>,
    /// The token of the next page; empty when this is the last.
    pub next_page_token: String,
}

impl<K: Serialize + DeserializeOwned + IntoValueTuple + Clone> PageRequest<K> {
    /// Reads the three fields of a request. A size of 0 is the default, one too large the largest.
    ///
    /// # Errors
    /// INVALID_VALUE for a negative size, a skip out of bounds, and a token that was never ours.
    pub fn parse(limits: Limits, page_size: i32, page_token: &str, skip: i32) -> Result<Self> {
        let max_skip = limits.max_skip;
        let skip = u64::try_from(skip).ok().filter(|skip| *skip <= max_skip);
        let skip =
            skip.ok_or_else(|| Error::invalid("skip", format!("skip must be 0 to {max_skip}")))?;
        Ok(Self {
            size: size(page_size, limits.default_size, limits.max_size)?,
            skip,
            after: decode(page_token)?,
        })
    }

    /// How many rows it holds at most.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// What names the row that it begins behind; none for the first page.
    #[must_use]
    pub fn after(&self) -> Option<&K> {
        self.after.as_ref()
    }

    /// Narrows a query to the page, with one row more, which tells whether another follows. `columns`
    /// are those of `K`, and order the list.
    #[must_use]
    pub fn select<E: EntityTrait>(
        &self,
        query: Select<E>,
        columns: &[E::Column],
        order: &Order,
    ) -> Select<E> {
        let mut page = query.offset(self.skip).limit(self.size + 1);
        if let Some(after) = &self.after {
            let values = after.clone().into_value_tuple().into_iter().map(Expr::val);
            let (row, last) = (columns.iter().map(ColumnTrait::as_column_ref), values);
            let row = Expr::tuple(row.map(Expr::col).collect::<Vec<_>>());
            let last = Expr::tuple(last.collect::<Vec<_>>());
            page = page.filter(if *order == Order::Desc {
                row.lt(last)
            } else {
                row.gt(last)
            });
        }
        let by = |page: Select<E>, column: &E::Column| page.order_by(*column, order.clone());
        columns.iter().fold(page, by)
    }

    /// Cuts the row too many off; `key` names a row.
    #[must_use]
    pub fn cut<T>(&self, rows: Vec<T>, key: impl Fn(&T) -> K) -> Page<T> {
        let (rows, next_page_token) = cut(rows, self.size, key);
        Page {
            rows,
            next_page_token,
        }
    }
}

impl<T> Page<T> {
    /// The same page of what `show` makes of its rows.
    #[must_use]
    pub fn map<U>(self, show: impl FnMut(T) -> U) -> Page<U> {
        Page {
            rows: self.rows.into_iter().map(show).collect(),
            next_page_token: self.next_page_token,
        }
    }
}

/// How many rows a query has, counted up to `most`, and by `column`.
///
/// # Errors
/// When the query fails.
pub async fn count<E: EntityTrait>(
    connection: &impl ConnectionTrait,
    query: Select<E>,
    column: E::Column,
    most: u64,
) -> Result<u64> {
    let rows = query.select_only().column(column).limit(most);
    let counted = Query::select()
        .expr(Func::count(Expr::col(column)))
        .from_subquery(rows.into_query(), "counted")
        .to_owned();
    let row = connection.query_one(&counted).await.map_err(failed)?;
    let count = row.map(|row| row.try_get_by_index::<i64>(0)).transpose();
    Ok(count.map_err(failed)?.unwrap_or(0).unsigned_abs())
}

/// The page size to use: 0 means `default`, more than `max` means `max`.
///
/// # Errors
/// INVALID_VALUE when negative.
fn size(requested: i32, default: u64, max: u64) -> Result<u64> {
    match u64::try_from(requested) {
        Ok(0) => Ok(default),
        Ok(size) => Ok(Ord::min(size, max)),
        Err(_) => Err(Error::invalid(
            "page_size",
            "page_size must not be negative",
        )),
    }
}

/// The token of a cursor.
#[must_use]
pub fn encode<C: Serialize>(cursor: &C) -> String {
    // A cursor is made of numbers and ids, which always serialise.
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(cursor).unwrap_or_default())
}

/// The cursor of a token; none for the first page.
///
/// # Errors
/// INVALID_VALUE for what was never one of our tokens.
fn decode<C: DeserializeOwned>(token: &str) -> Result<Option<C>> {
    if token.is_empty() {
        return Ok(None);
    }
    let cursor = (token.len() <= MAX_TOKEN)
        .then(|| URL_SAFE_NO_PAD.decode(token).ok())
        .flatten()
        .and_then(|json| serde_json::from_slice(&json).ok());
    cursor
        .map(Some)
        .ok_or_else(|| Error::invalid("page_token", "page_token is not one of ours"))
}

/// Cuts a list that was read with one row too many down to `size`; the token of the next page
/// names its last row.
fn cut<T, C: Serialize>(mut rows: Vec<T>, size: u64, cursor: impl Fn(&T) -> C) -> (Vec<T>, String) {
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    if rows.len() <= size {
        return (rows, String::new());
    }
    rows.truncate(size);
    let token = rows
        .last()
        .map(|row| encode(&cursor(row)))
        .unwrap_or_default();
    (rows, token)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_cursor_reads_back(seq in any::<i64>(), id in "[0-9a-f]{24}") {
            let token = encode(&(seq, id.clone()));
            prop_assert_eq!(decode::<(i64, String)>(&token).unwrap(), Some((seq, id)));
        }

        #[test]
        fn no_token_breaks_the_reader(token in "\\PC{0,600}") {
            let _ = decode::<(i64, String)>(&token);
        }
    }

    #[test]
    fn a_full_page_has_a_next_one_only_when_there_is_more() {
        assert_eq!(
            cut(vec![1, 2, 3], 3, |n| *n),
            (vec![1, 2, 3], String::new())
        );
        let (page, token) = cut(vec![1, 2, 3], 2, |n| *n);
        assert_eq!(
            (page, decode::<i32>(&token).unwrap()),
            (vec![1, 2], Some(2))
        );
    }
}
