//! Numbered pages (contract: identity, "Paging", 4).

use guildhall_runtime::Error;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::failure::Result;

/// Records of a page when nothing is said.
const LIMIT: u32 = 20;
/// Records of a page at most.
const MAX_LIMIT: u32 = 100;
/// How many records may come before a page: services refuse to pass over more.
const MAX_SKIP: u32 = 10_000;
/// The last page that can be asked for, with one record a page.
const MAX_PAGE: u32 = MAX_SKIP + 1;

/// Which page.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// 1 when left out; at most 10,000 records may come before it.
    #[param(minimum = 1, maximum = 10_001)]
    page: Option<u32>,
    /// At most so many; 20 when left out.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
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
    pub fn new(page: Option<u32>, limit: Option<u32>) -> Result<Self> {
        let number = within("page", page.unwrap_or(1), MAX_PAGE)?;
        let limit = within("limit", limit.unwrap_or(LIMIT), MAX_LIMIT)?;
        let last = MAX_SKIP / limit + 1;
        if number > last {
            let message = format!("page must be at most {last} with {limit} records a page");
            return Err(Error::invalid("page", message).into());
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

fn within(field: &str, value: u32, max: u32) -> Result<u32> {
    if value == 0 || value > max {
        return Err(Error::invalid(field, format!("{field} must be 1 to {max}")).into());
    }
    Ok(value)
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

    #[test]
    fn pages_count_from_one() {
        let second = Page::new(Some(2), Some(10)).unwrap();
        assert_eq!((second.size(), second.skip()), (10, 10));
        assert_eq!(second.of(11).total_pages, 2);
        assert_eq!(second.of(0).total_pages, 0);
        let first = Page::new(None, None).unwrap();
        assert_eq!((first.size(), first.skip()), (20, 0));
        for (page, limit) in [(Some(0), None), (None, Some(0)), (None, Some(101))] {
            assert!(Page::new(page, limit).is_err());
        }
    }

    #[test]
    fn a_list_reaches_ten_thousand_records_deep_however_long_its_pages_are() {
        for (limit, last) in [(1, 10_001), (3, 3_334), (20, 501), (100, 101)] {
            let page = Page::new(Some(last), Some(limit)).unwrap();
            assert!(page.skip() <= 10_000 && page.skip() + page.size() > 10_000);
            let refused = Page::new(Some(last + 1), Some(limit)).unwrap_err().error;
            assert_eq!(refused.violations()[0].field, "page");
        }
    }
}
