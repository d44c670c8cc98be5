//! No body, path or header makes the platform fail: every answer is JSON, and never a 5xx.

use guildhall_tests::{Community, OPERATIONS, Operation};
use http::Method;
use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};
use serde_json::{Map, Value, json};

/// Any JSON, not too deep.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,20}".prop_map(Value::from),
        "[0-9a-f]{24}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::hash_map("\\PC{0,8}", inner, 0..6)
                .prop_map(|object| Value::Object(object.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// One of the operations with a body, and which of its fields become what.
fn any_change() -> impl Strategy<Value = (prop::sample::Index, prop::sample::Index, Value)> {
    (
        any::<prop::sample::Index>(),
        any::<prop::sample::Index>(),
        any_json(),
    )
}

fn check(
    operation: &str,
    sent: &str,
    answer: &guildhall_testkit::Answer,
) -> Result<(), TestCaseError> {
    let json = serde_json::from_str::<Value>(&answer.body).is_ok();
    prop_assert!(
        answer.status < 500 && json,
        "{operation} with {sent}: {} {}",
        answer.status,
        answer.body
    );
    Ok(())
}

fn run<S: Strategy>(
    strategy: &S,
    test: impl Fn(&tokio::runtime::Runtime, &Community, S::Value) -> Result<(), TestCaseError>,
) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let community = runtime.block_on(Community::start());
    // What fails is printed whole, and no file of past failures is kept.
    let config = Config {
        cases: 300,
        failure_persistence: None,
        ..Config::default()
    };
    let result = TestRunner::new(config).run(strategy, |value| test(&runtime, &community, value));
    let _entered = runtime.enter();
    drop(community);
    if let Err(failure) = result {
        panic!("{failure}");
    }
}

#[test]
fn a_good_body_with_one_field_changed_at_random() {
    run(
        &any_change(),
        |runtime, community, (which, field, value)| {
            let bodies = community.operations_with_body();
            let (operation, by, mut body) = which.get(&bodies).clone();
            let names: Vec<_> = body.keys().cloned().collect();
            body.insert(field.get(&names).clone(), value);
            let body = Value::Object(body);
            let call = by
                .sign(operation.bare(&community.rest, &community.parameters()))
                .json(&body);
            check(
                operation.id,
                &body.to_string(),
                &runtime.block_on(call.send()),
            )
        },
    );
}

#[test]
fn any_bytes_for_a_body() {
    let bytes = prop::collection::vec(any::<u8>(), 0..200);
    let json = any_json().prop_map(|json| json.to_string().into_bytes());
    let strategy = (any::<prop::sample::Index>(), prop_oneof![bytes, json]);
    run(&strategy, |runtime, community, (which, body)| {
        let bodies = community.operations_with_body();
        let (operation, by, _) = which.get(&bodies);
        let sent = String::from_utf8_lossy(&body).into_owned();
        let call = by.sign(operation.bare(&community.rest, &community.parameters()));
        let call = call.header("Content-Type", "application/json").body(body);
        check(operation.id, &sent, &runtime.block_on(call.send()))
    });
}

#[test]
fn any_path_and_query() {
    let path = "(/(v1|v3|apis|api|chat|projects|messages|channels|reactions|[\\PC]{1,10})){1,6}";
    let query = "([a-z_]{1,10}=[\\PC]{0,10}&?){0,4}";
    run(&(path, query), |runtime, community, (path, query)| {
        let encoded = |text: &str| {
            text.bytes()
                .map(|b| match b {
                    b'/' | b'=' | b'&' | b'a'..=b'z' | b'0'..=b'9' | b'_' => {
                        char::from(b).to_string()
                    }
                    other => format!("%{other:02x}"),
                })
                .collect::<String>()
        };
        let target = format!("{}?{}", encoded(&path), encoded(&query));
        let call = community.integrator().call(Method::GET, &target);
        let answer = runtime.block_on(call.send());
        // The reference is a page; all else is JSON.
        if answer
            .header("content-type")
            .is_some_and(|media| media.starts_with("text/html"))
        {
            return Ok(());
        }
        check("GET", &target, &answer)
    });
}

#[test]
fn any_query_of_a_list() {
    let names = [
        "channel_id",
        "user_id",
        "email",
        "count",
        "before",
        "after",
        "parent_id",
        "forum_topic_id",
        "message_ts",
        "message_id",
        "prev_limit",
        "next_limit",
        "page",
        "limit",
        "sender_ids",
    ];
    let pair = (
        prop::sample::select(names.to_vec()),
        prop_oneof!["\\PC{0,24}", "-?[0-9]{1,20}", "[0-9a-f]{24}"],
    );
    let strategy = (
        any::<prop::sample::Index>(),
        prop::collection::vec(pair, 0..4),
    );
    run(&strategy, |runtime, community, (which, pairs)| {
        let lists: Vec<&Operation> = OPERATIONS
            .iter()
            .filter(|operation| operation.method == Method::GET)
            .collect();
        let operation = which.get(&lists);
        let pairs: Vec<_> = pairs
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let by = community.credential(operation.kinds[0]);
        let call = operation
            .call(&community.rest, &community.parameters(), &by)
            .query(&pairs);
        check(
            operation.id,
            &json!(pairs).to_string(),
            &runtime.block_on(call.send()),
        )
    });
}
