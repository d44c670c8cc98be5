//! What handlers take from a request, parsed at the edge.

mod base_url;
mod input;
mod query;
mod raw;
mod segments;

use guildhall_runtime::Error;
use http::HeaderMap;

pub use base_url::BaseUrl;
pub use input::Input;
pub use query::Query;
pub use raw::Raw;
pub use segments::Segments;

use crate::failure::{Failure, JsonType, Result};

/// The text of a header; empty when it is absent.
///
/// # Errors
/// INVALID_VALUE for one that is not printable.
pub fn header<'a>(headers: &'a HeaderMap, name: &str) -> Result<&'a str> {
    let Some(value) = headers.get(name) else {
        return Ok("");
    };
    let text = value.to_str().map(str::trim);
    text.map_err(|_| Error::invalid(name, format!("{name} must be printable ASCII")).into())
}

/// The failure of a field, from what serde says about it.
///
/// serde tells apart what is wrong by its texts alone; they have been the same for years, and the
/// tests beside the extractors hold them.
fn refused(path: &str, complaint: &str) -> Failure {
    if let Some(field) = quoted_after(complaint, "missing field") {
        return Error::missing(joined(path, field)).into();
    }
    if let Some(field) = quoted_after(complaint, "duplicate field") {
        let field = joined(path, field);
        return Error::invalid(&field, format!("{field} is given in two spellings")).into();
    }
    match expected(complaint) {
        Some(expected) => Failure::mistyped(path, expected),
        None => Error::invalid(path, format!("{path} is invalid: {complaint}")).into(),
    }
}

fn joined(path: &str, field: &str) -> String {
    match path {
        "." | "" => field.to_owned(),
        path => format!("{path}.{field}"),
    }
}

fn quoted_after<'a>(complaint: &'a str, prefix: &str) -> Option<&'a str> {
    complaint
        .strip_prefix(prefix)?
        .trim_start()
        .strip_prefix('`')?
        .split('`')
        .next()
}

/// The type that serde wanted, when it met another.
fn expected(complaint: &str) -> Option<JsonType> {
    const NUMBERS: &[&str] = &[
        "u8", "u16", "u32", "u64", "usize", "i8", "i16", "i32", "i64", "isize", "f32", "f64",
    ];
    if complaint.starts_with("invalid digit") || complaint.starts_with("cannot parse integer") {
        return Some(JsonType::Number);
    }
    if complaint.starts_with("provided string was not `true` or `false`") {
        return Some(JsonType::Boolean);
    }
    let wanted = complaint
        .strip_prefix("invalid type: ")?
        .rsplit_once(", expected ")?
        .1;
    match wanted {
        "a string" => Some(JsonType::String),
        "a boolean" => Some(JsonType::Boolean),
        "a sequence" => Some(JsonType::List),
        "a map" => Some(JsonType::Object),
        number if NUMBERS.contains(&number) => Some(JsonType::Number),
        object if object.starts_with("struct ") => Some(JsonType::Object),
        _ => None,
    }
}
