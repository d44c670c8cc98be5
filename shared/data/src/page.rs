//! Page sizes and opaque page tokens (AIP-158).

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use guildhall_runtime::{Error, Result};
use serde::{Serialize, de::DeserializeOwned};

/// The longest token that is looked at.
const MAX_TOKEN: usize = 512;

/// The page size to use: 0 means `default`, more than `max` means `max`.
///
/// # Errors
/// INVALID_VALUE when negative.
pub fn size(requested: i32, default: u64, max: u64) -> Result<u64> {
    match u64::try_from(requested) {
        Ok(0) => Ok(default),
        Ok(size) => Ok(size.min(max)),
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
pub fn decode<C: DeserializeOwned>(token: &str) -> Result<Option<C>> {
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
pub fn cut<T, C: Serialize>(
    mut rows: Vec<T>,
    size: u64,
    cursor: impl Fn(&T) -> C,
) -> (Vec<T>, String) {
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
