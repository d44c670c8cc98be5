//! What is true of every row that is served, whoever may call it: nothing is read twice, and nothing
//! that is empty names everything.

use guildhall_testkit::Answer;
use guildhall_tests::{Community, Differences, Family, Refusal, served};

/// Headers that are there once.
const ONCE: &[(&str, &str)] = &[
    ("Authorization", "Bearer x"),
    ("X-API-Key", "x"),
    ("apiKey", "x"),
    ("Content-Type", "application/json"),
    ("Content-Encoding", "identity"),
    ("Idempotency-Key", "k"),
    ("webhook-id", "w"),
    ("x-encrypted", "false"),
    ("x-session-token", "t"),
    ("x-request-id", "r"),
];

#[tokio::test]
async fn a_header_that_is_there_twice_is_refused() {
    let community = Community::start().await;
    let before = community.fingerprint().await;
    let mut differences = Differences::default();
    for row in served::rows() {
        for (name, value) in ONCE {
            let path = row.path("", "");
            for second in [*value, "other"] {
                let call = community.rest.call(row.endpoint.method.clone(), &path);
                // A header of a credential takes the place of the row's own.
                let is_credential = ["Authorization", "X-API-Key", "apiKey"].contains(name);
                let call = match is_credential {
                    true => call,
                    false => row.credential(&community).sign(call),
                };
                let answer = call.header(name, value).header(name, second).send().await;
                let case = format!("{} with {name} twice", row.endpoint.id);
                let outcome = row.family.check(&answer, Refusal::Invalid);
                // Who asks for channels with a system key is answered in E3.
                let outcome = outcome.or_else(|why| match *name {
                    "X-API-Key" | "apiKey" => Family::E3.check(&answer, Refusal::Invalid),
                    _ => Err(why),
                });
                differences.note(case, outcome);
            }
        }
    }
    differences.assert_none();
    community.fingerprint().await.assert_is(&before);
}

#[tokio::test]
async fn a_parameter_that_is_empty_or_cannot_be_stored_names_nothing() {
    let community = Community::with_all_records().await;
    let before = community.fingerprint().await;
    let names_nothing = |answer: &Answer| [400, 401, 404].contains(&answer.status);
    let mut differences = Differences::default();
    for row in served::rows() {
        for parameter in row.parameters() {
            for value in ["", "%20", "%00", "a%00b", "%E2%80%8B", "%ff", "%F0%9F"] {
                let path = row.path(parameter, value);
                if path.ends_with('/') {
                    // A slash at the end is ignored: this is the path of the list.
                    continue;
                }
                let call = row.call(&community, &path).body("{}");
                let answer = call.header("Content-Type", "application/json").send().await;
                let case = format!("{} at {path}", row.endpoint.id);
                differences.expect(names_nothing(&answer), case, answer.body);
            }
        }
    }
    differences.assert_none();
    community.fingerprint().await.assert_is(&before);
}

#[tokio::test]
async fn an_unknown_compression_is_refused() {
    let community = Community::start().await;
    let mut differences = Differences::default();
    let with_body = ["POST", "PUT", "PATCH"];
    for row in served::rows().filter(|row| with_body.contains(&row.endpoint.method.as_str())) {
        for encoding in ["compress", "gzip, br", "x"] {
            let call = row.call(&community, &row.path("", "")).body("{}");
            let call = call.header("Content-Encoding", encoding);
            let case = format!("{} in {encoding}", row.endpoint.id);
            let answer = call.send().await;
            differences.note(case, row.family.check(&answer, Refusal::WrongMediaType));
        }
    }
    differences.assert_none();
}
