//! The errors of the Sendbird facade: HTTP 400, and a code that tells (contract: sendbird, "Errors").

use guildhall_testkit::Answer;
use guildhall_tests::{Community, Differences};
use http::Method;
use serde_json::{Value, json};

/// The demo's group channel.
const ROOM: &str = "/v3/group_channels/demo-group/messages";

/// What is wrong with a call, and the code that says so.
type Case = (&'static str, Method, String, Option<Value>, i64);

fn cases(community: &Community) -> Vec<Case> {
    let get = |what, path: String, code| (what, Method::GET, path, None, code);
    let post = |what, path: String, body, code| (what, Method::POST, path, Some(body), code);
    let number = community.demo.sendbird.message_id;
    let reactions = format!("{ROOM}/{number}/reactions");
    let message = |change: Value| {
        let mut body = json!({ "message_type": "MESG", "user_id": "ada", "message": "Hi" });
        let change = change.as_object().unwrap().clone();
        body.as_object_mut().unwrap().extend(change);
        body.as_object_mut()
            .unwrap()
            .retain(|_, value| !value.is_null());
        body
    };
    let elsewhere = |url: &str| format!("/v3/group_channels/{url}/messages");
    let send = |what, change, code| post(what, ROOM.to_owned(), message(change), code);
    let react = |what, body, code| post(what, reactions.clone(), body, code);
    vec![
        send("no type", json!({ "message_type": null }), 400_105),
        send("no user", json!({ "user_id": null }), 400_105),
        send("no text", json!({ "message": null }), 400_105),
        send(
            "an unknown type",
            json!({ "message_type": "POEM" }),
            400_111,
        ),
        send("a number for the user", json!({ "user_id": 7 }), 400_100),
        send("a list for the text", json!({ "message": ["Hi"] }), 400_100),
        send(
            "a text for the parent",
            json!({ "parent_message_id": "x" }),
            400_101,
        ),
        send(
            "a text for a boolean",
            json!({ "is_silent": "yes" }),
            400_104,
        ),
        send(
            "a text for a list",
            json!({ "mentioned_user_ids": "ada" }),
            400_102,
        ),
        send(
            "an unknown parent",
            json!({ "parent_message_id": 9_007_199_254_740_000_i64 }),
            400_201,
        ),
        send("an unknown user", json!({ "user_id": "nobody" }), 400_301),
        send(
            "a text over 5,000 characters",
            json!({ "message": "é".repeat(5001) }),
            400_110,
        ),
        send(
            "a custom type over 128",
            json!({ "custom_type": "c".repeat(129) }),
            400_110,
        ),
        post(
            "an unknown channel",
            elsewhere("no-such"),
            message(json!({})),
            400_201,
        ),
        react("no reaction", json!({ "user_id": "ada" }), 400_105),
        react(
            "no user who reacts",
            json!({ "reaction": "smile" }),
            400_105,
        ),
        react(
            "a number for the reaction",
            json!({ "user_id": "ada", "reaction": 1 }),
            400_100,
        ),
        react(
            "a reaction over 192",
            json!({ "user_id": "ada", "reaction": "r".repeat(193) }),
            400_110,
        ),
        react(
            "an unknown user who reacts",
            json!({ "user_id": "nobody", "reaction": "smile" }),
            400_301,
        ),
        post(
            "a reaction in an open channel",
            reactions.replace("group_channels", "open_channels"),
            json!({ "user_id": "ada", "reaction": "smile" }),
            400_111,
        ),
        post(
            "a reaction to nothing",
            format!("{ROOM}/9007199254740000/reactions"),
            json!({ "user_id": "ada", "reaction": "smile" }),
            400_201,
        ),
        get(
            "an unknown message",
            format!("{ROOM}/9007199254740000"),
            400_201,
        ),
        get("a list from nowhere", ROOM.into(), 400_105),
        get(
            "a list of 201",
            format!("{ROOM}?message_ts=1&prev_limit=201"),
            400_113,
        ),
        get(
            "a list of a word",
            format!("{ROOM}?message_ts=1&prev_limit=many"),
            400_101,
        ),
        get("an unknown route", "/v3/no/such/route".into(), 400_930),
        get(
            "a route of a later release",
            "/v3/group_channels".into(),
            400_930,
        ),
        (
            "no user whose reaction goes",
            Method::DELETE,
            format!("{reactions}?reaction=smile"),
            None,
            400_105,
        ),
        (
            "no reaction that goes",
            Method::DELETE,
            format!("{reactions}?user_id=ada"),
            None,
            400_105,
        ),
    ]
}

#[tokio::test]
async fn every_error_is_a_400_with_its_code() {
    let community = Community::start().await;
    let mut differences = Differences::default();
    for (what, method, path, body, code) in cases(&community) {
        let call = community.sendbird().call(method, &path);
        let call = match &body {
            Some(body) => call.json(body),
            None => call,
        };
        differences.note(what, refused(&call.send().await, code));
    }
    let broken = community
        .sendbird()
        .call(Method::POST, ROOM)
        .body("{")
        .send()
        .await;
    differences.note("a broken body", refused(&broken, 400_403));
    let malformed = community.sendbird().get(&format!("{ROOM}/abc")).await;
    let number_expected = refused(&malformed, 400_101).or_else(|_| refused(&malformed, 400_111));
    differences.note("a word for a message id", number_expected);
    differences.assert_none();
    let left = community
        .sendbird()
        .get(&format!("{ROOM}?message_ts=9000000000000"))
        .await;
    let left = left.expect(200)["messages"].take();
    assert_eq!(left.as_array().unwrap().len(), 1, "nothing was written");
}

fn refused(answer: &Answer, code: i64) -> Result<(), String> {
    let json: Value = serde_json::from_str(&answer.body).unwrap_or_default();
    let right = answer.status == 400
        && json["error"] == true
        && json["code"] == code
        && json["message"]
            .as_str()
            .is_some_and(|text| !text.is_empty());
    if right {
        return Ok(());
    }
    Err(format!("not {code}: {} {}", answer.status, answer.body))
}
