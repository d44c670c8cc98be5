//! Names have every spelling, values are written as clients write them, and errors speak of what the
//! caller sent.

use guildhall_tests::{
    Community, Credential, Differences, OPERATIONS, Operation, Parameters, Refusal,
    document::{self, QueryParameter},
};
use serde_json::{Map, Value, json};

/// The other spelling of a name: `channelId` of `channel_id` and the other way round.
fn other(name: &str) -> String {
    if name.contains('_') {
        let mut words = name.split('_');
        let first = words.next().unwrap_or_default().to_owned();
        return words.fold(first, |name, word| {
            name + &word[..1].to_uppercase() + &word[1..]
        });
    }
    let mut spelled = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() {
            spelled.push('_');
        }
        spelled.push(letter.to_ascii_lowercase());
    }
    spelled
}

/// The same with all names in it in their other spelling.
fn respelled(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let fields = fields
                .iter()
                .map(|(name, value)| (other(name), respelled(value)));
            Value::Object(fields.collect())
        }
        Value::Array(items) => items.iter().map(respelled).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

async fn post(community: &Community, operation: &Operation, by: &Credential, body: Value) -> u16 {
    community.deliveries_done().await;
    let call = operation.bare(&community.rest, &community.parameters());
    by.sign(call).json(&body).send().await.status
}

fn works(operation: &Operation, status: u16) -> bool {
    status == operation.success || [404, 409].contains(&status)
}

#[tokio::test]
async fn a_field_of_a_body_has_every_spelling_and_one_value() {
    let community = Community::with_all_records().await;
    let mut differences = Differences::default();
    for (operation, by, good) in community.operations_with_body() {
        let whole = Value::Object(good.clone());
        let all = respelled(&whole);
        let status = post(&community, operation, &by, all.clone()).await;
        differences.expect(
            works(operation, status),
            format!("{} with {all}", operation.id),
            status,
        );
        for (name, value) in &good {
            let spelling = other(name);
            if spelling == *name {
                continue;
            }
            let twice = |second: Value| {
                let mut body: Map<String, Value> = good.clone();
                body.insert(spelling.clone(), second);
                Value::Object(body)
            };
            let same = twice(value.clone());
            let status = post(&community, operation, &by, same.clone()).await;
            differences.expect(
                works(operation, status),
                format!("{} with {same}", operation.id),
                status,
            );
            let differs = twice(json!("another"));
            let call = operation.bare(&community.rest, &community.parameters());
            let answer = by.sign(call).json(&differs).send().await;
            let case = format!("{} with {differs}", operation.id);
            differences.note(case, operation.family.check(&answer, Refusal::Invalid));
        }
    }
    differences.assert_none();
}

/// The path of an operation with this value of a parameter of its query.
fn with_query(path: &str, name: &str, value: &str) -> String {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let others = query.split('&').filter(|pair| {
        let own = pair.split('=').next().unwrap_or_default();
        !pair.is_empty() && own != name && own != other(name)
    });
    let pairs: Vec<_> = others
        .map(str::to_owned)
        .chain([format!("{name}={value}")])
        .collect();
    format!("{path}?{}", pairs.join("&"))
}

/// Calls an operation with this parameter of its query.
async fn asked(
    community: &Community,
    operation: &Operation,
    name: &str,
    value: &str,
) -> guildhall_testkit::Answer {
    community.deliveries_done().await;
    let path = with_query(&community.parameters().fill(&operation.path), name, value);
    let call = community.rest.call(operation.method.clone(), &path);
    let call = match operation.body {
        Some(body) => call.json(&body(&community.parameters())),
        None => call,
    };
    community
        .credential(operation.kinds[0])
        .sign(call)
        .send()
        .await
}

fn queries() -> impl Iterator<Item = (&'static Operation, QueryParameter)> {
    OPERATIONS.iter().flat_map(|operation| {
        document::query(operation).map(move |parameter| (operation, parameter))
    })
}

/// The type of a schema, whether or not it may be null.
fn is_of(schema: &Value, wanted: &str) -> bool {
    let kind = &schema["type"];
    kind == wanted
        || kind
            .as_array()
            .is_some_and(|kinds| kinds.contains(&json!(wanted)))
}

#[tokio::test]
async fn a_boolean_of_a_query_is_read_as_clients_write_it() {
    let community = Community::with_all_records().await;
    let mut differences = Differences::default();
    let mut found = 0;
    for (operation, parameter) in queries().filter(|(_, one)| is_of(&one.schema, "boolean")) {
        found += 1;
        for name in [parameter.name.clone(), other(&parameter.name)] {
            for value in ["true", "True", "TRUE", "1", "false", "False", "0"] {
                let answer = asked(&community, operation, &name, value).await;
                let case = format!("{} with {name}={value}", operation.id);
                differences.expect(works(operation, answer.status), case, answer.body);
            }
            for value in ["yes", "2", "nil"] {
                let answer = asked(&community, operation, &name, value).await;
                let case = format!("{} with {name}={value}", operation.id);
                differences.note(case, operation.family.check(&answer, Refusal::Invalid));
            }
        }
    }
    assert!(found > 5, "{found} booleans");
    differences.assert_none();
}

#[tokio::test]
async fn every_number_beyond_its_bounds_is_refused_in_the_same_words() {
    let community = Community::with_all_records().await;
    let mut differences = Differences::default();
    let mut found = 0;
    for (operation, parameter) in queries().filter(|(_, one)| is_of(&one.schema, "integer")) {
        found += 1;
        let (name, least) = (&parameter.name, parameter.schema["minimum"].as_i64());
        let least = least.unwrap_or_else(|| panic!("{}: {name} has no bounds", operation.id));
        let most = parameter.schema["maximum"].as_i64();
        let beyond = [
            Some((least - 1).to_string()),
            Some("-99999999999999999999".to_owned()),
            most.map(|most| (most + 1).to_string()),
            most.map(|_| "99999999999999999999".to_owned()),
        ];
        let mut bodies = Vec::new();
        for value in beyond.into_iter().flatten() {
            let answer = asked(&community, operation, name, &value).await;
            let case = format!("{} with {name}={value}", operation.id);
            differences.note(&case, operation.family.check(&answer, Refusal::Invalid));
            differences.expect(answer.body.contains(name.as_str()), case, &answer.body);
            bodies.push(answer.body);
        }
        bodies.dedup();
        let case = format!("{} beyond the bounds of {name}", operation.id);
        differences.expect(bodies.len() == 1, case, bodies.join("\n"));
    }
    assert!(found > 5, "{found} integers");
    differences.assert_none();
}

#[tokio::test]
async fn a_parameter_of_a_query_has_one_value_and_narrows_by_something() {
    let community = Community::with_all_records().await;
    let mut differences = Differences::default();
    for (operation, parameter) in queries() {
        let name = &parameter.name;
        let twice = asked(&community, operation, name, &format!("a1&{name}=b2")).await;
        let case = format!("{} with {name} twice", operation.id);
        differences.note(case, operation.family.check(&twice, Refusal::Invalid));
        // What names a record or a time must not be empty: everything would be listed.
        let narrows = ["id", "ids", "email", "before", "after"];
        let is_empty = |name: &str| narrows.iter().any(|end| name.to_lowercase().ends_with(end));
        if is_empty(name) {
            let empty = asked(&community, operation, name, "").await;
            let case = format!("{} with an empty {name}", operation.id);
            differences.note(case, operation.family.check(&empty, Refusal::Invalid));
        }
    }
    differences.assert_none();
}

#[tokio::test]
async fn an_error_speaks_of_what_the_caller_sent() {
    let community = Community::with_all_records().await;
    let mut differences = Differences::default();
    let wrong = [
        json!(7),
        json!("\u{0}"),
        json!("x".repeat(11_000)),
        json!([]),
        json!({}),
        json!(""),
    ];
    for (operation, by, good) in community.operations_with_body() {
        for field in good.keys() {
            for value in &wrong {
                let mut body = good.clone();
                body.insert(field.clone(), value.clone());
                let call = operation.bare(&community.rest, &community.parameters());
                let answer = by.sign(call).json(&Value::Object(body)).send().await;
                note_foreign(
                    &mut differences,
                    operation,
                    &format!("{field} wrong"),
                    &answer.body,
                );
            }
        }
    }
    let forum = community.demo.channel("forum");
    let parameters = Parameters {
        channel: forum.to_owned(),
        url: forum.to_owned(),
        chat: forum.to_owned(),
        ..community.parameters()
    };
    for operation in OPERATIONS.iter() {
        let by = community.credential(operation.kinds[0]);
        let answer = operation.make(&community.rest, &parameters, &by).await;
        note_foreign(&mut differences, operation, "a forum", &answer.body);
    }
    for (operation, parameter) in queries() {
        for value in ["%00", "%00@x", "-", "99999999999999999999"] {
            let answer = asked(&community, operation, &parameter.name, value).await;
            let case = format!("{}={value}", parameter.name);
            note_foreign(&mut differences, operation, &case, &answer.body);
            differences.expect(
                answer.status < 500,
                format!("{} with {case}", operation.id),
                &answer.body,
            );
        }
    }
    differences.assert_none();
}

fn note_foreign(differences: &mut Differences, operation: &Operation, case: &str, body: &str) {
    let Ok(answer) = serde_json::from_str(body) else {
        return;
    };
    let foreign = document::foreign_names(operation, &answer);
    let case = format!("{} with {case} speaks of {foreign:?}", operation.id);
    differences.expect(foreign.is_empty(), case, body);
}
