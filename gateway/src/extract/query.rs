//! Query strings.

use std::collections::HashSet;

use axum::extract::FromRequestParts;
use http::request::Parts;
use serde::de::DeserializeOwned;

use super::refused;
use crate::failure::{Failure, Result};

/// The query. Empty values and the literal `undefined` count as absent, the first of two equal
/// names counts, and unknown names are ignored.
#[derive(Debug)]
pub struct Query<T>(pub T);

impl<S: Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self> {
        parse(parts.uri.query().unwrap_or_default()).map(Self)
    }
}

fn parse<T: DeserializeOwned>(query: &str) -> Result<T> {
    let mut seen = HashSet::new();
    let present = form_urlencoded::parse(query.as_bytes()).filter(|(name, value)| {
        !value.is_empty() && value != "undefined" && seen.insert(name.clone())
    });
    let present = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(present)
        .finish();
    let pairs = serde_urlencoded::Deserializer::new(form_urlencoded::parse(present.as_bytes()));
    serde_path_to_error::deserialize(pairs).map_err(|error| {
        let path = error.path().to_string();
        refused(&path, &error.into_inner().to_string())
    })
}

#[cfg(test)]
mod tests {
    use guildhall_runtime::Reason;
    use proptest::prelude::*;
    use serde::Deserialize;

    use super::*;
    use crate::failure::{Fault, JsonType};

    #[derive(Debug, PartialEq, Deserialize)]
    struct Asked {
        #[serde(alias = "channelId")]
        channel_id: Option<String>,
        count: Option<u32>,
        reverse: Option<bool>,
    }

    #[test]
    fn what_says_nothing_is_absent() {
        let asked: Asked =
            parse("channel_id=undefined&count=&reverse=true&reverse=false&unheard=1").unwrap();
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
    fn a_wrong_value_is_named_with_the_type_it_must_have() {
        for (query, field, expected) in [
            ("count=ten", "count", JsonType::Number),
            ("reverse=1", "reverse", JsonType::Boolean),
        ] {
            let failure = parse::<Asked>(query).unwrap_err();
            assert_eq!(failure.error.reason(), Reason::InvalidValue);
            assert_eq!(failure.error.violations()[0].field, field);
            assert_eq!(failure.fault, Some(Fault::Mistyped(expected)), "{query}");
        }
        let failure = parse::<Asked>("count=99999999999").unwrap_err();
        assert_eq!(failure.error.violations()[0].field, "count");
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
