//! Numbered pages (contract: identity, "Paging", 4).

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    bounded::Bounded,
    failure::{Failure, Result},
};

/// Records of a page when nothing is said.
const LIMIT: u32 = 20;
/// How many records may come before a page: services refuse to pass over more.
const MAX_SKIP: u32 = 10_000;

/// The number of a page; the last one that can be asked for has one record.
pub type PageNumber = Bounded<1, 10_001>;
/// How many records a page holds.
pub type PageLimit = Bounded<1, 100>;

/// Which page.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// 1 when left out; at most 10,000 records may come before it.
    #[param(inline)]
    page: Option<PageNumber>,
    /// At most so many; 20 when left out.
    #[param(inline)]
    limit: Option<PageLimit>,
}

/// A page that can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    number: u32,
    limit: u32,
}

impl Default for Page {
    /// The first page, of the usual length.
    fn default() -> Self {
        Self {
            number: 1,
            limit: LIMIT,
        }
    }
}

impl PageQuery {
    /// The page that a query means.
    ///
    /// # Errors
    /// INVALID_VALUE for what is out of range.
    pub fn page(&self) -> Result<Page> {
        Page::new(self.page, self.limit)
    }
}

impl Page {
    /// A page by its number and length.
    ///
    /// # Errors
    /// INVALID_VALUE for what is out of range.
    pub fn new(page: Option<PageNumber>, limit: Option<PageLimit>) -> Result<Self> {
        let number = page.map_or(1, whole);
        let limit = limit.map_or(LIMIT, whole);
        let last = MAX_SKIP / limit + 1;
        if number > last {
            let message = format!("page must be at most {last} with {limit} records a page");
            return Err(Failure::out_of_range("page", message));
        }
        Ok(Self { number, limit })
    }

    /// How many records it holds.
    pub fn size(self) -> i32 {
        i32::try_from(self.limit).unwrap_or(i32::MAX)
    }

    /// How many records come before it.
    pub fn skip(self) -> i32 {
        i32::try_from((self.number - 1) * self.limit).unwrap_or(i32::MAX)
    }

    /// The same in a list of `total` records.
    pub fn of(self, total: i32) -> Paging {
        let total = u32::try_from(total).unwrap_or(0);
        Paging {
            page: self.number,
            limit: self.limit,
            total,
            total_pages: total.div_ceil(self.limit),
        }
    }
}

/// Bounded as it is, it fits.
fn whole<const MIN: i64, const MAX: i64>(value: Bounded<MIN, MAX>) -> u32 {
    u32::try_from(value.get()).unwrap_or(u32::MAX)
}

/// Where a page is in its list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Paging {
    /// From 1.
    page: u32,
    limit: u32,
    /// Records in all pages.
    total: u32,
    total_pages: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(number: i64, limit: i64) -> Result<Page> {
        Page::new(PageNumber::new(number), PageLimit::new(limit))
    }

    #[test]
    fn pages_count_from_one() {
        let second = page(2, 10).unwrap();
        assert_eq!((second.size(), second.skip()), (10, 10));
        assert_eq!(second.of(11).total_pages, 2);
        assert_eq!(second.of(0).total_pages, 0);
        let first = Page::new(None, None).unwrap();
        assert_eq!((first.size(), first.skip()), (20, 0));
    }

    #[test]
    fn a_list_reaches_ten_thousand_records_deep_however_long_its_pages_are() {
        for (limit, last) in [(1, 10_001), (3, 3_334), (20, 501), (100, 101)] {
            let deepest = page(last, limit).unwrap();
            assert!(deepest.skip() <= 10_000 && deepest.skip() + deepest.size() > 10_000);
            if limit > 1 {
                let refused = page(last + 1, limit).unwrap_err().error;
                assert_eq!(refused.violations()[0].field, "page");
            }
        }
    }
}
