//! The fields of a JSON body, which callers may spell as `channelId` or as `channel_id`.

use guildhall_runtime::{Error, Result};
use guildhall_types::json;
use serde_json::{Map, Value};

/// The fields of a body that were not read yet. `null` is as good as absent.
#[derive(Debug)]
pub struct Body(Map<String, Value>);

impl Body {
    /// The fields of an object.
    #[must_use]
    pub fn new(fields: Map<String, Value>) -> Self {
        Self(fields)
    }

    /// Reads a JSON object.
    ///
    /// # Errors
    /// As [`json::object`] says.
    pub fn parse(body: &[u8]) -> Result<Self> {
        json::object(body).map(Self)
    }

    /// A field by its name, in whichever spelling it is given.
    ///
    /// # Errors
    /// INVALID_VALUE when it is given with different values.
    pub fn take(&mut self, field: &'static str) -> Result<Option<Value>> {
        let wanted = json::fold(field);
        let mut values = Vec::new();
        self.0.retain(|name, value| {
            let is_wanted = json::fold(name) == wanted;
            if is_wanted && !value.is_null() {
                values.push(value.take());
            }
            !is_wanted
        });
        values.dedup();
        match values.len() {
            0 | 1 => Ok(values.pop()),
            _ => Err(json::given_twice(field)),
        }
    }

    /// A text.
    ///
    /// # Errors
    /// INVALID_VALUE for what is none, and as [`take`](Self::take) says.
    pub fn text(&mut self, field: &'static str) -> Result<Option<String>> {
        match self.take(field)? {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(Error::invalid(field, format!("{field} must be a string"))),
        }
    }

    /// A text that has to be there.
    ///
    /// # Errors
    /// MISSING_FIELD, and as [`text`](Self::text) says.
    pub fn required(&mut self, field: &'static str) -> Result<String> {
        self.text(field)?.ok_or_else(|| Error::missing(field))
    }

    /// A whole number that is not negative and has to be there; JSON does not tell `5.0` from `5`.
    ///
    /// # Errors
    /// MISSING_FIELD, INVALID_VALUE for any other value, and as [`take`](Self::take) says.
    pub fn amount(&mut self, field: &'static str) -> Result<i64> {
        let value = self.take(field)?.ok_or_else(|| Error::missing(field))?;
        let amount = value.as_i64().or_else(|| whole(value.as_f64()?));
        amount.filter(|amount| *amount >= 0).ok_or_else(|| {
            let description = format!("{field} must be a whole number from 0 to {}", i64::MAX);
            Error::invalid(field, description)
        })
    }
}

/// The integer that a number is, if it is one.
fn whole(number: f64) -> Option<i64> {
    // Without a fraction, its digits are those of the integer; what is too large is none.
    (number.fract() == 0.0).then(|| format!("{number:.0}").parse().ok())?
}

#[cfg(test)]
mod tests {
    use guildhall_runtime::Reason;
    use serde_json::json;

    use super::*;

    fn body(fields: &Value) -> Body {
        Body::new(fields.as_object().unwrap().clone())
    }

    #[test]
    fn a_field_is_read_in_either_spelling_and_refused_in_two_that_differ() {
        let read = |fields: Value| body(&fields).text("forumTopicId");
        let one = Some("1".to_owned());
        assert_eq!(read(json!({ "forumTopicId": "1" })).unwrap(), one);
        assert_eq!(read(json!({ "forum_topic_id": "1" })).unwrap(), one);
        let both = json!({ "forumTopicId": "1", "forum_topic_id": "1" });
        assert_eq!(read(both).unwrap(), one);
        let nothing = json!({ "forumTopicId": null, "forum_topic_id": "1" });
        assert_eq!(read(nothing).unwrap(), one);
        assert_eq!(read(json!({})).unwrap(), None);
        let refused = read(json!({ "forumTopicId": "1", "forum_topic_id": "2" })).unwrap_err();
        let violation = &refused.violations()[0];
        assert_eq!(violation.field, "forumTopicId");
        let expected = "forumTopicId is given twice, with different values";
        assert_eq!(violation.description, expected);
    }

    #[test]
    fn an_amount_is_a_whole_number_within_its_range() {
        let read = |amount: &str| {
            let fields = format!(r#"{{"amount":{amount}}}"#);
            Body::parse(fields.as_bytes()).unwrap().amount("amount")
        };
        for (amount, expected) in [
            ("0", 0),
            ("5", 5),
            ("5.0", 5),
            ("-0.0", 0),
            ("1e3", 1_000),
            ("9223372036854775807", i64::MAX),
        ] {
            assert_eq!(read(amount).unwrap(), expected, "{amount}");
        }
        for amount in [
            "-1",
            "0.5",
            "9223372036854775808",
            "18446744073709551616",
            "1e300",
            r#""5""#,
            "true",
        ] {
            let refused = read(amount).unwrap_err();
            let violation = &refused.violations()[0];
            assert_eq!(violation.field, "amount", "{amount}");
            assert!(
                violation
                    .description
                    .ends_with("from 0 to 9223372036854775807")
            );
        }
        assert_eq!(read("null").unwrap_err().reason(), Reason::MissingField);
    }
}
