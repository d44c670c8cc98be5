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
    for endpoint in endpoints() {
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
            assert!(has_example(response), "{place} has no example of {status}");
        }
        let mut parameters = HashSet::new();
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            let name = (parameter["name"].to_string(), parameter["in"].to_string());
            assert!(parameters.insert(name), "{place} has a parameter twice");
        }
    }
}

fn has_example(body: &Value) -> bool {
    let content = &body["content"]["application/json"];
    content.get("example").is_some() || content.get("examples").is_some()
}

#[test]
fn every_reference_leads_somewhere() {
    let document = document();
    let schemas = document["components"]["schemas"].as_object().unwrap();
    let mut open = vec![&document];
    while let Some(value) = open.pop() {
        if let Some(reference) = value.get("$ref").and_then(Value::as_str) {
            let name = reference.strip_prefix("#/components/schemas/").unwrap();
            assert!(schemas.contains_key(name), "{reference}");
        }
        match value {
            Value::Object(fields) => open.extend(fields.values()),
            Value::Array(items) => open.extend(items),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
}
