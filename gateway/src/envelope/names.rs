//! Names of fields: services speak of theirs, callers know their own.
//!
//! A name of a service becomes that of its endpoint's callers by the convention of the family, unless
//! the endpoint names an exception. What the gateway itself says uses the callers' names already.

use guildhall_runtime::{Error, Result};
use prost_types::FieldMask;
use serde::Serialize;
use serde_json::Value;

use super::{Family, FieldError};

/// Fields that callers know under other names than the convention makes of the service's:
/// (the service's, the callers').
pub type FieldNames = &'static [(&'static str, &'static str)];

/// How the names of a service's fields become those of callers.
#[derive(Debug, Clone, Copy)]
pub struct Naming {
    pub family: Family,
    pub exceptions: FieldNames,
}

impl Naming {
    /// The callers' name of a field.
    pub fn field(self, field: &str) -> String {
        self.exception(field).unwrap_or_else(|| match self.family {
            Family::Sendbird => field.to_owned(),
            Family::Integration
            | Family::Application
            | Family::System
            | Family::Mudbase
            | Family::Bare => camel_case(field),
        })
    }

    /// What is wrong with which field, under the callers' names.
    pub fn fields(self, error: &Error) -> Vec<FieldError> {
        let errors = error.violations().iter().map(|violation| FieldError {
            field: self.field(&violation.field),
            message: self.sentence(&violation.description, error),
        });
        errors.collect()
    }

    /// A sentence about an error, with the callers' name of the field that it begins with.
    pub fn sentence(self, text: &str, error: &Error) -> String {
        let mut violations = error.violations().iter();
        let named =
            violations.find_map(|violation| Some((violation, after(text, &violation.field)?)));
        match named {
            Some((violation, rest)) => format!("{}{rest}", self.field(&violation.field)),
            None => self.exception(text).unwrap_or_else(|| text.to_owned()),
        }
    }

    /// `text` with the field that it begins with under its exceptional name.
    fn exception(self, text: &str) -> Option<String> {
        self.exceptions
            .iter()
            .find_map(|(ours, theirs)| Some(format!("{theirs}{}", after(text, ours)?)))
    }
}

/// The mask of the fields that a change names, in the service's names: those that it holds and that are
/// not null. `names` are the exceptions of its endpoint.
///
/// # Errors
/// A bug: the change is no JSON.
pub fn mask(change: &impl Serialize, names: FieldNames) -> Result<FieldMask> {
    let change = serde_json::to_value(change).map_err(Error::internal)?;
    let mut paths = Vec::new();
    note(String::new(), &change, names, &mut paths);
    Ok(FieldMask { paths })
}

/// Notes the fields that are within the one at `path`.
fn note(path: String, value: &Value, names: FieldNames, paths: &mut Vec<String>) {
    match value {
        Value::Null => {}
        Value::Object(fields) => {
            for (name, value) in fields {
                let path = if path.is_empty() {
                    name.clone()
                } else {
                    format!("{path}.{name}")
                };
                note(path, value, names, paths);
            }
        }
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            let exception = names.iter().find(|(_, theirs)| *theirs == path);
            paths.push(exception.map_or_else(|| snake_case(&path), |(ours, _)| (*ours).to_owned()));
        }
    }
}

/// What follows the field that `text` begins with.
fn after<'a>(text: &'a str, field: &str) -> Option<&'a str> {
    let rest = text.strip_prefix(field)?;
    (!rest.starts_with(|c: char| c.is_alphanumeric() || c == '_')).then_some(rest)
}

/// `settings.channel_ids[0]` as `settings.channelIds[0]`; what is in camel case already stays.
fn camel_case(field: &str) -> String {
    let mut name = String::with_capacity(field.len());
    let mut characters = field.chars().peekable();
    while let Some(character) = characters.next() {
        let joins = character == '_' && name.ends_with(char::is_alphanumeric);
        match characters.peek() {
            Some(next) if joins && next.is_ascii_lowercase() => {
                name.push(next.to_ascii_uppercase());
                characters.next();
            }
            Some(_) | None => name.push(character),
        }
    }
    name
}

/// `settings.channelIds` as `settings.channel_ids`.
fn snake_case(field: &str) -> String {
    let mut name = String::with_capacity(field.len());
    for character in field.chars() {
        if character.is_ascii_uppercase() {
            name.push('_');
        }
        name.push(character.to_ascii_lowercase());
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: FieldNames = &[
        ("text", "message"),
        ("encryption.enabled", "encryption.isEnabled"),
    ];

    fn naming(family: Family) -> Naming {
        Naming {
            family,
            exceptions: NAMES,
        }
    }

    #[test]
    fn a_name_follows_the_convention_of_the_family_or_its_exception() {
        let e1 = naming(Family::Integration);
        for (service, caller) in [
            ("channel_ids", "channelIds"),
            ("channelIds", "channelIds"),
            ("settings.allowed_fields[2]", "settings.allowedFields[2]"),
            ("encryption.enabled", "encryption.isEnabled"),
            ("text", "message"),
            ("textual", "textual"),
            ("_id", "_id"),
            ("Idempotency-Key", "Idempotency-Key"),
        ] {
            assert_eq!(e1.field(service), caller);
        }
        assert_eq!(naming(Family::Sendbird).field("message_id"), "message_id");
        assert_eq!(naming(Family::Sendbird).field("text"), "message");
    }

    #[test]
    fn a_mask_names_what_a_change_holds_as_the_service_does() {
        let change = serde_json::json!({
            "name": "", "url": null, "channelIds": [], "message": "Hi",
            "encryption": { "isEnabled": false, "mode": null, "secretKey": "k" }, "settings": {}
        });
        let mask = mask(&change, NAMES).unwrap();
        let named = [
            "name",
            "channel_ids",
            "text",
            "encryption.enabled",
            "encryption.secret_key",
        ];
        let paths: std::collections::BTreeSet<_> = mask.paths.iter().map(String::as_str).collect();
        assert_eq!(paths, named.into());
    }

    #[test]
    fn a_sentence_is_translated_where_it_begins_with_the_field() {
        let e2 = naming(Family::Application);
        let error = Error::invalid("channel_ids", "channel_ids must be at most 100");
        assert_eq!(
            e2.sentence(error.message(), &error),
            "channelIds must be at most 100"
        );
        let error = Error::missing("text");
        assert_eq!(e2.fields(&error)[0].message, "message is required");
        let error = Error::invalid("channel", "Channels are full");
        assert_eq!(e2.sentence(error.message(), &error), "Channels are full");
    }
}
