//! What the OpenAPI document says of an operation: the names that its callers know.

use std::{collections::BTreeSet, sync::LazyLock};

use serde_json::Value;

use crate::{Operation, row};

static DOCUMENT: LazyLock<Value> = LazyLock::new(|| {
    let json = guildhall_gateway::openapi_json().expect("the document");
    serde_json::from_str(&json).expect("JSON")
});

/// A parameter of a query.
#[derive(Debug, Clone)]
pub struct QueryParameter {
    /// Its name.
    pub name: String,
    /// Its schema.
    pub schema: Value,
}

fn operation(of: &Operation) -> &'static Value {
    let rows = row::all();
    let row = rows.iter().find(|row| row.id == of.id);
    let row = row.expect("a row of the contract");
    &DOCUMENT["paths"][row.path][row.method.to_lowercase()]
}

fn parameters(of: &Operation) -> impl Iterator<Item = &'static Value> {
    let parameters = operation(of)["parameters"].as_array();
    parameters.into_iter().flatten().map(resolved)
}

/// What a value refers to, or the value itself.
fn resolved(value: &'static Value) -> &'static Value {
    let Some(reference) = value["$ref"].as_str() else {
        return value;
    };
    let target = DOCUMENT.pointer(reference.trim_start_matches('#'));
    target.expect("a component")
}

/// The parameters of its query.
pub fn query(of: &Operation) -> impl Iterator<Item = QueryParameter> {
    let parameters = parameters(of).filter(|parameter| parameter["in"] == "query");
    parameters.map(|parameter| QueryParameter {
        name: text(&parameter["name"]),
        schema: resolved(&parameter["schema"]).clone(),
    })
}

/// The names of all that it reads: parameters of path, query and headers, and fields of its body.
#[must_use]
pub fn names(of: &Operation) -> BTreeSet<String> {
    let mut names: BTreeSet<_> = parameters(of).map(|one| text(&one["name"])).collect();
    let body = &operation(of)["requestBody"]["content"]["application/json"]["schema"];
    properties(body, &mut names);
    names.insert("Idempotency-Key".to_owned());
    names
}

/// Notes the names of fields that are anywhere in a schema.
fn properties(schema: &Value, names: &mut BTreeSet<String>) {
    match schema {
        Value::Object(object) => {
            if let Some(reference) = object.get("$ref").and_then(Value::as_str) {
                let pointer = reference.trim_start_matches('#');
                let target = DOCUMENT.pointer(pointer).expect("a component");
                return properties(target, names);
            }
            if let Some(fields) = object.get("properties").and_then(Value::as_object) {
                names.extend(fields.keys().cloned());
            }
            object.values().for_each(|value| properties(value, names));
        }
        Value::Array(items) => items.iter().for_each(|item| properties(item, names)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The words of an answer's errors that look like names of fields, and are none that callers know.
#[must_use]
pub fn foreign_names(of: &Operation, answer: &Value) -> Vec<String> {
    let known = names(of);
    let mut fields: Vec<String> = Vec::new();
    for list in [&answer["errors"], &answer["meta"]["validation"]] {
        let listed = list.as_array().into_iter().flatten();
        fields.extend(listed.map(|error| text(&error["field"])));
    }
    fields.extend(
        answer["details"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, _)| name.clone()),
    );
    let messages = [&answer["message"], &answer["meta"]["message"]];
    let words = messages.into_iter().filter_map(Value::as_str);
    // The values that a field may have are no names of fields.
    let words = words.map(|message| message.split("must be one of").next().unwrap_or_default());
    let words = words.flat_map(|message| message.split(|c: char| !is_of_name(c)));
    fields.extend(words.filter(|word| is_name(word)).map(str::to_owned));
    // `settings.allowedFields[2]` is three names, and the last is what matters.
    let last = |field: &String| {
        let name = field.rsplit('.').next().unwrap_or_default();
        name.split('[').next().unwrap_or_default().to_owned()
    };
    fields.retain(|field| !known.contains(&last(field)) && !known.contains(field));
    fields
}

fn is_of_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '[' | ']')
}

/// Whether a word of a sentence is spelled as names of fields are: `topic_id`, `forumTopicId`.
fn is_name(word: &str) -> bool {
    let mut pairs = word.as_bytes().windows(2);
    let has_hump = pairs.any(|pair| pair[0].is_ascii_lowercase() && pair[1].is_ascii_uppercase());
    let has_underscore = word.trim_matches('_').contains('_') && word.to_lowercase() == *word;
    has_hump || has_underscore
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
