//! Query strings.

use axum::extract::FromRequestParts;
use guildhall_types::json::fold;
use http::request::Parts;
use serde::{
    Deserializer,
    de::{
        DeserializeOwned, Error as _, IntoDeserializer, Unexpected, Visitor,
        value::{Error, MapDeserializer},
    },
    forward_to_deserialize_any,
};

use super::{fields::spelled, refused};
use crate::{
    bounded::integer,
    failure::{Failure, Result},
};

/// The query. Empty values and the literal `undefined` count as absent, but what narrows a list must not
/// be empty: it would list everything. Unknown names are ignored. Names have every spelling and one
/// value, and booleans are written as clients write them: `true`, `True`, `1`.
#[derive(Debug)]
pub struct Query<T>(pub T);

impl<S: Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self> {
        parse(parts.uri.query().unwrap_or_default()).map(Self)
    }
}

fn parse<T: DeserializeOwned>(query: &str) -> Result<T> {
    let present = form_urlencoded::parse(query.as_bytes());
    let present = present.filter(|(_, value)| value != "undefined");
    let present = present.map(|(name, value)| (name.into_owned(), value.into_owned()));
    serde_path_to_error::deserialize(Pairs(present.collect())).map_err(|error| {
        let path = error.path().to_string();
        refused(&path, &error.into_inner().to_string())
    })
}

/// How the complaint about an empty parameter begins.
pub const EMPTY: &str = "empty value of ";

/// Whether a parameter says which records are listed, by its name.
pub fn narrows(name: &str) -> bool {
    let name = fold(name);
    ["id", "ids", "email", "before", "after", "since"]
        .iter()
        .any(|end| name.ends_with(end))
}

/// The parameters, to be read into a struct.
struct Pairs(Vec<(String, String)>);

impl<'de> Deserializer<'de> for Pairs {
    type Error = Error;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        known: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let (empty, given): (Vec<_>, Vec<_>) =
            self.0.into_iter().partition(|(_, value)| value.is_empty());
        for (name, _) in spelled::<_, Error>(empty.into_iter(), known)? {
            if narrows(&name) && known.contains(&name.as_str()) {
                return Err(Error::custom(format!("{EMPTY}`{name}`")));
            }
        }
        let fields = spelled::<_, Error>(given.into_iter(), known)?.into_iter();
        let fields = fields.map(|(name, value)| (name, Text(value)));
        visitor.visit_map(MapDeserializer::new(fields))
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_struct("", &[], visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

/// The value of a parameter.
struct Text(String);

impl Text {
    fn is_not<V>(&self, wanted: &str) -> Result<V, Error> {
        Err(Error::invalid_type(Unexpected::Str(&self.0), &wanted))
    }
}

impl<'de> Deserializer<'de> for Text {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_string(self.0)
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0.to_ascii_lowercase().as_str() {
            "true" | "1" => visitor.visit_bool(true),
            "false" | "0" => visitor.visit_bool(false),
            _ => self.is_not("a boolean"),
        }
    }

    /// An integer of any length; its type says which it takes.
    fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match integer(&self.0) {
            Some(value) => visitor.visit_i64(value),
            None => self.is_not("i64"),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_enum(self.0.into_deserializer())
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        seq tuple tuple_struct map struct identifier ignored_any
    }
}

impl IntoDeserializer<'_, Error> for Text {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

#[cfg(test)]
mod tests {
    use guildhall_runtime::Reason;
    use proptest::prelude::*;
    use serde::Deserialize;

    use super::*;
    use crate::{
        bounded::Bounded,
        failure::{Fault, JsonType},
    };

    #[derive(Debug, PartialEq, Deserialize)]
    struct Asked {
        channel_id: Option<String>,
        count: Option<Bounded<1, 100>>,
        reverse: Option<bool>,
    }

    #[test]
    fn what_says_nothing_is_absent() {
        let asked: Asked =
            parse("channel_id=undefined&count=&reverse=true&reverse=true&unheard=1&of_id=")
                .unwrap();
        let expected = Asked {
            channel_id: None,
            count: None,
            reverse: Some(true),
        };
        assert_eq!(asked, expected);
        let asked: Asked = parse("channelId=a%20b+c%26").unwrap();
        assert_eq!(asked.channel_id.as_deref(), Some("a b c&"));
    }

    #[test]
    fn a_boolean_is_read_as_clients_write_it() {
        for (text, value) in [
            ("True", true),
            ("TRUE", true),
            ("1", true),
            ("False", false),
            ("0", false),
        ] {
            let asked: Asked = parse(&format!("reverse={text}")).unwrap();
            assert_eq!(asked.reverse, Some(value), "{text}");
        }
    }

    #[test]
    fn a_wrong_value_is_named_with_the_type_it_must_have() {
        for (query, field, expected) in [
            ("count=ten", "count", JsonType::Integer),
            ("count=1.5", "count", JsonType::Integer),
            ("reverse=yes", "reverse", JsonType::Boolean),
        ] {
            let failure = parse::<Asked>(query).unwrap_err();
            assert_eq!(failure.error.reason(), Reason::InvalidValue);
            assert_eq!(failure.error.violations()[0].field, field);
            assert_eq!(failure.fault, Some(Fault::Mistyped(expected)), "{query}");
        }
    }

    #[test]
    fn every_number_beyond_its_bounds_is_told_them_alike() {
        for count in ["0", "-1", "101", "1000", "99999999999999999999"] {
            let failure = parse::<Asked>(&format!("count={count}")).unwrap_err();
            assert_eq!(failure.error.message(), "count must be 1 to 100", "{count}");
            assert_eq!(failure.fault, Some(Fault::OutOfRange), "{count}");
        }
    }

    #[test]
    fn what_narrows_a_list_is_not_empty() {
        for query in ["channel_id=", "channelId", "channel_id=a&channelId="] {
            let failure = parse::<Asked>(query).unwrap_err();
            assert_eq!(failure.error.reason(), Reason::MissingField, "{query}");
            assert_eq!(failure.error.violations()[0].field, "channel_id");
        }
    }

    #[test]
    fn two_values_with_one_name_are_refused() {
        let failure = parse::<Asked>("reverse=true&reverse=false").unwrap_err();
        assert_eq!(failure.error.violations()[0].field, "reverse");
    }

    #[test]
    fn two_spellings_with_different_values_are_refused() {
        let failure = parse::<Asked>("channel_id=a&channelId=b").unwrap_err();
        assert_eq!(failure.error.violations()[0].field, "channel_id");
        let same: Asked = parse("channel_id=a&channelId=a").unwrap();
        assert_eq!(same.channel_id.as_deref(), Some("a"));
    }

    proptest! {
        #[test]
        fn any_text_comes_through(text in "\\PC{1,30}") {
            prop_assume!(text != "undefined");
            let query = form_urlencoded::Serializer::new(String::new())
                .append_pair("channel_id", &text)
                .finish();
            prop_assert_eq!(parse::<Asked>(&query).unwrap().channel_id, Some(text));
        }

        #[test]
        fn no_query_breaks_the_reader(query in "\\PC{0,60}") {
            let _ = parse::<Asked>(&query);
        }
    }
}
