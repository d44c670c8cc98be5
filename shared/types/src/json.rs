//! JSON bodies as callers write them.
//!
//! The contract writes `channelId` on some pages and `channel_id` on others, and clients follow either
//! (contract: settlements, part 1). No name has two values: who reads the first and who reads the last
//! must not read different requests.

use std::fmt;

use guildhall_runtime::{Error, Reason, Result};
use serde::{
    Deserialize, Deserializer,
    de::{Error as _, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Number, Value, error::Category, map::Entry};

/// The mark of a byte order, with which some clients begin a text.
const MARK: &[u8] = b"\xef\xbb\xbf";
/// How the complaint about a name with two values begins.
const TWICE: &str = "different values of ";

/// What all spellings of a field's name have in common: `channelId`, `channel_id` and `channelID`.
#[must_use]
pub fn fold(name: &str) -> String {
    let letters = name.chars().filter(|letter| *letter != '_');
    letters.map(|letter| letter.to_ascii_lowercase()).collect()
}

/// The error about a field that is given twice with different values, in one spelling or in two.
#[must_use]
pub fn given_twice(field: &str) -> Error {
    Error::invalid(
        field,
        format!("{field} is given twice, with different values"),
    )
}

/// Reads an object.
///
/// # Errors
/// MALFORMED_BODY for what is no JSON, or no object; INVALID_VALUE for a name with two values.
pub fn object(body: &[u8]) -> Result<Map<String, Value>> {
    let body = body.strip_prefix(MARK).unwrap_or(body);
    match serde_json::from_slice(body).map_err(malformed)? {
        Once(Value::Object(fields)) => Ok(fields),
        Once(
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_),
        ) => {
            let message = "The body must be a JSON object";
            Err(Error::new(Reason::MalformedBody, message))
        }
    }
}

fn malformed(error: serde_json::Error) -> Error {
    let (line, column, complaint) = (error.line(), error.column(), error.to_string());
    match error.classify() {
        Category::Data => {
            let field = complaint.strip_prefix(TWICE).unwrap_or_default();
            given_twice(field.split(" at line ").next().unwrap_or_default())
        }
        Category::Io | Category::Syntax | Category::Eof => {
            let message = format!("The body is not valid JSON (line {line}, column {column})");
            Error::new(Reason::MalformedBody, message)
        }
    }
}

/// A value in which a name may be repeated with the same value alone.
struct Once(Value);

impl<'de> Deserialize<'de> for Once {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue).map(Self)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> std::result::Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> std::result::Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> std::result::Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> std::result::Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, text: &str) -> std::result::Result<Value, E> {
        Ok(Value::String(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> std::result::Result<Value, E> {
        Ok(Value::String(text))
    }

    fn visit_unit<E>(self) -> std::result::Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> std::result::Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Once(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> std::result::Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some((name, Once(value))) = fields.next_entry::<String, Once>()? {
            match object.entry(name) {
                Entry::Vacant(field) => {
                    field.insert(value);
                }
                Entry::Occupied(field) if *field.get() == value => {}
                Entry::Occupied(field) => {
                    return Err(A::Error::custom(format!("{TWICE}{}", field.key())));
                }
            }
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refusal(body: &str) -> (Reason, String) {
        let error = object(body.as_bytes()).unwrap_err();
        let field = error.violations().first();
        let field = field.map(|violation| violation.field.clone());
        (error.reason(), field.unwrap_or_default())
    }

    #[test]
    fn a_name_has_one_value_at_every_depth() {
        let read = object("\u{feff}{\"a\":[{\"b\":1,\"b\":1}],\"a\":[{\"b\":1}]}".as_bytes());
        assert_eq!(Value::Object(read.unwrap()), json!({ "a": [{ "b": 1 }] }));
        for (body, field) in [
            (r#"{"a":1,"a":2}"#, "a"),
            (r#"{"x":[{"b c":1,"b c":"1"}]}"#, "b c"),
        ] {
            assert_eq!(refusal(body), (Reason::InvalidValue, field.to_owned()));
        }
    }

    #[test]
    fn what_is_no_object_is_malformed() {
        for body in ["", "[]", "null", "{", "{}{}", "1"] {
            assert_eq!(refusal(body).0, Reason::MalformedBody, "{body}");
        }
    }
}
