//! JSON bodies.

use axum::{
    body::{Body, to_bytes},
    extract::{FromRequest, Request},
};
use guildhall_runtime::Error;
use guildhall_types::json;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::{json::JsonReader, refused};
use crate::{
    body::LIMIT,
    failure::{Failure, Result},
};

/// A JSON object from the body. An empty body is an empty object, `null` is as good as absent, `5.0` is
/// an integer, names have every spelling and one value, and unknown fields are ignored.
#[derive(Debug)]
pub struct Input<T>(pub T);

impl<S: Sync, T: DeserializeOwned> FromRequest<S> for Input<T> {
    type Rejection = Failure;

    async fn from_request(request: Request<Body>, _state: &S) -> Result<Self> {
        // The endpoint has read and measured the body before it called us.
        let bytes = to_bytes(request.into_body(), LIMIT)
            .await
            .map_err(Error::internal)?;
        parse(&bytes).map(Self)
    }
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T> {
    let mut value = Value::Object(if body.trim_ascii().is_empty() {
        Map::new()
    } else {
        json::object(body)?
    });
    whole(&mut value);
    serde_path_to_error::deserialize(JsonReader(value)).map_err(|error| {
        let path = error.path().to_string();
        refused(&path, &error.into_inner().to_string())
    })
}

/// JSON does not tell `5.0` from `5`: both are integers.
fn whole(value: &mut Value) {
    match value {
        Value::Number(number) if number.is_f64() => {
            let digits = number.to_string();
            let integer = digits
                .strip_suffix(".0")
                .and_then(|digits| digits.parse::<i64>().ok());
            if let Some(integer) = integer {
                *value = integer.into();
            }
        }
        Value::Array(items) => items.iter_mut().for_each(whole),
        Value::Object(fields) => fields.values_mut().for_each(whole),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
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
    #[serde(rename_all = "camelCase")]
    struct Asked {
        channel_id: String,
        count: Option<Bounded<0, 9>>,
        silent: Option<bool>,
        names: Option<Vec<String>>,
        inner: Option<Inner>,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    struct Inner {
        version: Bounded<-2, 2>,
    }

    fn asked(body: &str) -> Result<Asked> {
        parse(body.as_bytes())
    }

    fn complaint(body: &str) -> (Reason, String, Option<Fault>) {
        let failure = asked(body).unwrap_err();
        let field = failure.error.violations().first();
        (
            failure.error.reason(),
            field
                .map(|violation| violation.field.clone())
                .unwrap_or_default(),
            failure.fault,
        )
    }

    #[test]
    fn both_spellings_nulls_duplicates_and_unknown_fields_are_taken() {
        for body in [
            r#"{"channelId":"c"}"#,
            r#"{"channel_id":"c","count":null}"#,
            r#"{"channelId":"c","channelId":"c"}"#,
            "\u{feff}{\"channelId\":\"c\"}",
            r#"{"channelId":"c","channel_id":"c"}"#,
            r#" {"channelId":"c","unheard":{"of":[1]}} "#,
        ] {
            assert_eq!(asked(body).unwrap().channel_id, "c", "{body}");
        }
    }

    #[test]
    fn a_whole_number_is_an_integer_however_it_is_written() {
        let asked = asked(r#"{"channelId":"c","count":7.0,"inner":{"version":-2.0}}"#).unwrap();
        assert_eq!(asked.count.map(Bounded::get), Some(7));
        assert_eq!(asked.inner.map(|inner| inner.version.get()), Some(-2));
        let (_, field, fault) = complaint(r#"{"channelId":"c","count":7.5}"#);
        assert_eq!(
            (field.as_str(), fault),
            ("count", Some(Fault::Mistyped(JsonType::Integer)))
        );
    }

    #[test]
    fn a_missing_field_is_named() {
        for body in ["", "{}", r#"{"channelId":null}"#] {
            assert_eq!(
                complaint(body),
                (Reason::MissingField, "channelId".into(), None),
                "{body}"
            );
        }
        assert_eq!(
            complaint(r#"{"channelId":"c","inner":{}}"#),
            (Reason::MissingField, "inner.version".into(), None)
        );
        assert_eq!(
            complaint(r#"{"channelId":"c","inner":{"version":null}}"#),
            (Reason::MissingField, "inner.version".into(), None)
        );
    }

    #[test]
    fn a_field_of_another_type_is_named_with_the_type_it_must_have() {
        for (body, field, expected) in [
            (r#"{"channelId":1}"#, "channelId", JsonType::String),
            (
                r#"{"channelId":"c","count":"1"}"#,
                "count",
                JsonType::Integer,
            ),
            (
                r#"{"channelId":"c","silent":1}"#,
                "silent",
                JsonType::Boolean,
            ),
            (r#"{"channelId":"c","names":"n"}"#, "names", JsonType::List),
            (
                r#"{"channelId":"c","names":[1]}"#,
                "names[0]",
                JsonType::String,
            ),
            (r#"{"channelId":"c","inner":1}"#, "inner", JsonType::Object),
            (
                r#"{"channelId":"c","inner":[1]}"#,
                "inner",
                JsonType::Object,
            ),
        ] {
            assert_eq!(
                complaint(body),
                (
                    Reason::InvalidValue,
                    field.into(),
                    Some(Fault::Mistyped(expected))
                ),
                "{body}"
            );
        }
        for count in ["-1", "10", "1e3", "99999999999999999999"] {
            let body = format!(r#"{{"channelId":"c","count":{count}}}"#);
            let refused = (
                Reason::InvalidValue,
                "count".into(),
                Some(Fault::OutOfRange),
            );
            assert_eq!(complaint(&body), refused, "{body}");
        }
        for twice in [
            r#"{"channelId":"c","channel_id":"d"}"#,
            r#"{"channelId":"c","channelId":"d"}"#,
        ] {
            let (reason, field, _) = complaint(twice);
            let refused = (reason, field.as_str());
            assert_eq!(refused, (Reason::InvalidValue, "channelId"), "{twice}");
        }
    }

    #[test]
    fn what_is_no_json_object_is_malformed() {
        let deep = format!(
            r#"{{"channelId":"c","x":{}{}}}"#,
            "[".repeat(200),
            "]".repeat(200)
        );
        for body in ["[]", "1", "{", r#"{"channelId":"\ud800"}"#, &deep] {
            assert_eq!(complaint(body).0, Reason::MalformedBody, "{body}");
        }
        let broken: Result<Asked> = parse(b"{\"channelId\":\"\xff\"}");
        assert_eq!(broken.unwrap_err().error.reason(), Reason::MalformedBody);
    }

    proptest! {
        #[test]
        fn no_body_breaks_the_reader(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse::<Asked>(&body);
        }
    }
}
