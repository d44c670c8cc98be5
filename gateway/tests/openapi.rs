//! The OpenAPI document: committed, complete, and without contradictions.

#![allow(clippy::unwrap_used, reason = "a step that fails fails its test")]

use std::collections::HashSet;

use guildhall_gateway::{endpoints, openapi_json};
use serde_json::Value;

fn document() -> Value {
    serde_json::from_str(&openapi_json().unwrap()).unwrap()
}

fn operations(document: &Value) -> Vec<(String, String, &Value)> {
    let paths = document["paths"].as_object().unwrap();
    let operations = paths.iter().flat_map(|(path, item)| {
        let methods = item.as_object().unwrap();
        methods
            .iter()
            .map(|(method, operation)| (path.clone(), method.clone(), operation))
    });
    operations.collect()
}

#[test]
fn the_committed_document_is_that_of_the_code() {
    let committed = include_str!("../openapi.json");
    assert!(
        committed == openapi_json().unwrap(),
        "gateway/openapi.json is stale: run `make openapi` and commit it"
    );
}

#[test]
fn every_endpoint_stands_in_it_at_every_path() {
    let document = document();
    for endpoint in endpoints().unwrap() {
        let method = endpoint.method.as_str().to_lowercase();
        let canonical = &document["paths"][&endpoint.path][&method];
        assert_eq!(canonical["operationId"], endpoint.id);
        assert_eq!(canonical["summary"], endpoint.title);
        for alias in &endpoint.aliases {
            assert!(document["paths"][alias][&method].is_object(), "{alias}");
        }
    }
}

#[test]
fn every_operation_has_an_id_a_tag_and_examples_of_what_goes_in_and_out() {
    let document = document();
    let mut ids = HashSet::new();
    for (path, method, operation) in operations(&document) {
        let place = format!("{method} {path}");
        let id = operation["operationId"].as_str().unwrap().to_owned();
        assert!(ids.insert(id), "{place} has the id of another");
        assert_eq!(operation["tags"].as_array().unwrap().len(), 1, "{place}");
        assert!(
            !operation["description"].as_str().unwrap().is_empty(),
            "{place}"
        );
        if let Some(body) = operation.get("requestBody") {
            assert!(has_example(body), "{place} has no example of its body");
        }
        for (status, response) in operation["responses"].as_object().unwrap() {
            let response = resolved(&document, response);
            assert!(has_example(response), "{place} has no example of {status}");
        }
        let mut parameters = HashSet::new();
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            let parameter = resolved(&document, parameter);
            let name = (parameter["name"].to_string(), parameter["in"].to_string());
            assert!(parameters.insert(name), "{place} has a parameter twice");
        }
    }
}

/// What a value that may be a reference stands for.
fn resolved<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    match value.get("$ref").and_then(Value::as_str) {
        Some(reference) => {
            let pointer = reference.strip_prefix('#').unwrap();
            document
                .pointer(pointer)
                .unwrap_or_else(|| panic!("{reference} leads nowhere"))
        }
        None => value,
    }
}

/// An example is made by the code that answers; the schema is derived beside it. They agree on what is
/// always there.
#[test]
fn every_example_has_what_its_schema_requires() {
    let document = document();
    for (path, method, operation) in operations(&document) {
        let bodies = operation["responses"].as_object().unwrap().values();
        for body in bodies.chain(operation.get("requestBody")) {
            let content = &resolved(&document, body)["content"]["application/json"];
            let schema = resolved(&document, &content["schema"]);
            let named = content["examples"]
                .as_object()
                .into_iter()
                .flat_map(|named| named.values());
            let examples = named
                .map(|example| &example["value"])
                .chain(content.get("example"));
            for example in examples {
                for field in schema["required"].as_array().into_iter().flatten() {
                    let field = field.as_str().unwrap();
                    assert!(
                        example.get(field).is_some(),
                        "{method} {path}: {field} in {example}"
                    );
                }
            }
        }
    }
}

#[test]
fn an_operation_is_short_enough_to_be_read() {
    let document = document();
    let operations = operations(&document);
    let lines = |operation: &Value| {
        serde_json::to_string_pretty(operation)
            .unwrap()
            .lines()
            .count()
    };
    let all: usize = operations
        .iter()
        .map(|(.., operation)| lines(operation))
        .sum();
    assert!(
        all / operations.len() < 150,
        "{} lines on average",
        all / operations.len()
    );
    for (path, method, operation) in operations {
        assert!(
            lines(operation) < 250,
            "{method} {path}: {} lines",
            lines(operation)
        );
    }
}

fn has_example(body: &Value) -> bool {
    let content = &body["content"]["application/json"];
    content.get("example").is_some() || content.get("examples").is_some()
}

#[test]
fn every_reference_leads_somewhere() {
    let document = document();
    let mut open = vec![&document];
    while let Some(value) = open.pop() {
        resolved(&document, value);
        match value {
            Value::Object(fields) => open.extend(fields.values()),
            Value::Array(items) => open.extend(items),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
}
