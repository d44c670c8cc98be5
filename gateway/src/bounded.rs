//! Integers within bounds: the type says them to the reader, the error and the documentation.

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{Error, Unexpected, Visitor},
};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{ObjectBuilder, RefOr, Schema, SchemaFormat, schema::Type},
};

use crate::failure::{Failure, JsonType};

/// How the complaint about an integer beyond its bounds begins.
pub const RANGE: &str = "must be ";

/// An integer from `MIN` to `MAX`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Bounded<const MIN: i64, const MAX: i64>(i64);

/// An integer from `MIN` on.
pub type AtLeast<const MIN: i64> = Bounded<MIN, { i64::MAX }>;

impl<const MIN: i64, const MAX: i64> Bounded<MIN, MAX> {
    /// The integer; none when it is beyond its bounds.
    #[must_use]
    pub fn new(value: i64) -> Option<Self> {
        (MIN..=MAX).contains(&value).then_some(Self(value))
    }

    /// The integer that a text of a path or a query holds.
    ///
    /// # Errors
    /// INVALID_VALUE for what is no integer, or beyond the bounds.
    pub fn parse(field: &str, text: &str) -> Result<Self, Failure> {
        let value = integer(text).ok_or_else(|| Failure::mistyped(field, JsonType::Integer))?;
        let beyond = || Failure::out_of_range(field, format!("{field} {}", Self::range()));
        Self::new(value).ok_or_else(beyond)
    }

    /// The integer within the bounds that is next to this one.
    #[must_use]
    pub fn clamped(value: i64) -> Self {
        Self(value.clamp(MIN, MAX))
    }

    /// The integer.
    #[must_use]
    pub fn get(self) -> i64 {
        self.0
    }

    /// The integer as a length.
    #[must_use]
    pub fn size(self) -> usize {
        usize::try_from(self.0).unwrap_or(if self.0 < 0 { 0 } else { usize::MAX })
    }

    /// The bounds in words.
    fn range() -> String {
        format!("{RANGE}{MIN} to {MAX}")
    }
}

/// The integer that a text holds; of one that no type holds, the next that one does.
#[must_use]
pub fn integer(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let beyond = if text.starts_with('-') {
        i64::MIN
    } else {
        i64::MAX
    };
    Some(text.parse().unwrap_or(beyond))
}

impl<'de, const MIN: i64, const MAX: i64> Deserialize<'de> for Bounded<MIN, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Integer<const MIN: i64, const MAX: i64>;

        impl<const MIN: i64, const MAX: i64> Visitor<'_> for Integer<MIN, MAX> {
            type Value = Bounded<MIN, MAX>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("i64")
            }

            fn visit_i64<E: Error>(self, value: i64) -> Result<Self::Value, E> {
                Bounded::new(value).ok_or_else(|| E::custom(Self::Value::range()))
            }

            fn visit_u64<E: Error>(self, value: u64) -> Result<Self::Value, E> {
                let value = i64::try_from(value);
                let value = value.map_err(|_| E::custom(Self::Value::range()))?;
                self.visit_i64(value)
            }

            /// JSON writes what no integer type holds as a fraction.
            fn visit_f64<E: Error>(self, value: f64) -> Result<Self::Value, E> {
                if value.fract() == 0.0 {
                    return Err(E::custom(Self::Value::range()));
                }
                Err(E::invalid_type(Unexpected::Float(value), &self))
            }
        }

        deserializer.deserialize_i64(Integer)
    }
}

impl<const MIN: i64, const MAX: i64> PartialSchema for Bounded<MIN, MAX> {
    fn schema() -> RefOr<Schema> {
        let integer = ObjectBuilder::new().schema_type(Type::Integer);
        let integer = integer.format(Some(SchemaFormat::Custom("int64".to_owned())));
        let maximum = (MAX != i64::MAX).then_some(MAX);
        integer.minimum(Some(MIN)).maximum(maximum).into()
    }
}

impl<const MIN: i64, const MAX: i64> ToSchema for Bounded<MIN, MAX> {}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    type Limit = Bounded<1, 100>;

    fn complaint(value: serde_json::Value) -> String {
        serde_json::from_value::<Limit>(value)
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn what_is_beyond_the_bounds_is_told_the_bounds() {
        assert_eq!(
            serde_json::from_value::<Limit>(json!(100)).unwrap().get(),
            100
        );
        for value in [
            json!(0),
            json!(101),
            json!(-1),
            json!(u64::MAX),
            json!(1e20),
        ] {
            assert_eq!(complaint(value.clone()), "must be 1 to 100", "{value}");
        }
        assert!(complaint(json!(1.5)).starts_with("invalid type"));
        assert!(complaint(json!("5")).starts_with("invalid type"));
        let positive = serde_json::from_value::<AtLeast<1>>(json!(0)).unwrap_err();
        assert_eq!(positive.to_string(), "must be 1 to 9223372036854775807");
    }
}
