//! What handlers take from a request, parsed at the edge.

mod fields;
mod input;
mod json;
mod query;
mod raw;
mod segments;

use guildhall_auth::Credential;
use guildhall_runtime::{Error, Reason};
use http::HeaderMap;

pub use input::Input;
pub use query::{Query, narrows};
pub use raw::Raw;
pub use segments::Segments;

use guildhall_types::json::given_twice;

use self::{fields::TWICE, query::EMPTY};
use crate::{
    bounded::RANGE,
    failure::{Failure, JsonType, Result},
};

/// The text of a header; empty when it is absent.
///
/// # Errors
/// INVALID_VALUE for one that is not printable.
pub fn header<'a>(headers: &'a HeaderMap, name: &str) -> Result<&'a str> {
    // The endpoint has refused a header that is there twice.
    let Some(value) = headers.get(name) else {
        return Ok("");
    };
    let text = value.to_str().map(str::trim);
    text.map_err(|_| Error::invalid(name, format!("{name} must be printable ASCII")).into())
}

/// The key of one record, in either of its headers; empty when there is none.
///
/// # Errors
/// CREDENTIALS_CONFLICT for two different ones, INVALID_VALUE for one that is not printable.
pub fn api_key(headers: &HeaderMap) -> Result<&str> {
    match (header(headers, "x-api-key")?, header(headers, "apikey")?) {
        (key, "") => Ok(key),
        ("", key) => Ok(key),
        (key, same) if key == same => Ok(key),
        (_, _) => Err(Credential::conflict().into()),
    }
}

/// The one value of a field that has two places; `field` is the second of them.
///
/// # Errors
/// INVALID_VALUE when they hold different values.
pub fn one_value<T: PartialEq>(
    field: &str,
    first: Option<T>,
    second: Option<T>,
) -> Result<Option<T>> {
    match (first, second) {
        (Some(first), Some(second)) if first != second => Err(given_twice(field).into()),
        (first, second) => Ok(first.or(second)),
    }
}

/// The failure of a field, from what serde says about it.
///
/// serde tells apart what is wrong by its texts alone; they have been the same for years, and the
/// tests beside the extractors hold them.
fn refused(path: &str, complaint: &str) -> Failure {
    if let Some(field) = quoted_after(complaint, "missing field") {
        return Error::missing(joined(path, field)).into();
    }
    if let Some(field) = quoted_after(complaint, TWICE) {
        return given_twice(&joined(path, field)).into();
    }
    if let Some(field) = quoted_after(complaint, EMPTY) {
        let message = format!("{field} is empty: leave it out, or say which");
        return Error::violation(Reason::MissingField, field, message).into();
    }
    if let Some(field) = quoted_after(complaint, "duplicate field") {
        let field = joined(path, field);
        return Error::invalid(&field, format!("{field} is given under two names")).into();
    }
    if complaint.starts_with(RANGE) {
        return Failure::out_of_range(path, format!("{path} {complaint}"));
    }
    if let Some((_, known)) = complaint
        .strip_prefix("unknown variant ")
        .and_then(|rest| rest.split_once(", expected "))
    {
        let known = known.trim_start_matches("one of ").replace('`', "");
        return Error::invalid(path, format!("{path} must be one of {known}")).into();
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
    let wanted = complaint
        .strip_prefix("invalid type: ")?
        .rsplit_once(", expected ")?
        .1;
    match wanted {
        "a string" => Some(JsonType::String),
        "a boolean" => Some(JsonType::Boolean),
        "a sequence" => Some(JsonType::List),
        "a map" => Some(JsonType::Object),
        "f64" => Some(JsonType::Number),
        "i64" => Some(JsonType::Integer),
        object if object.starts_with("struct ") => Some(JsonType::Object),
        _ => None,
    }
}
