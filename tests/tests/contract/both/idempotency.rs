//! One Idempotency-Key, one effect (contract: identity, "Extensions common to all routes").

use std::collections::HashSet;

use futures::future::join_all;
use guildhall_proto::messaging::v1::{
    SendMessageRequest, message_service_client::MessageServiceClient,
};
use guildhall_testkit::{Answer, Rest, grpc::signed};
use guildhall_tests::{Community, Differences, Operation, Parameters, Refusal, operation::Kind};
use http::Method;
use serde_json::{Value, json};

async fn keyed(
    community: &Community,
    operation: &Operation,
    parameters: &Parameters,
    kind: Kind,
    key: &str,
) -> Answer {
    let call = operation.call(&community.rest, parameters, &community.credential(kind));
    call.idempotency_key(key).send().await
}

/// The answer without what belongs to the request alone.
fn told(answer: &Answer) -> (u16, &str) {
    (answer.status, &answer.body)
}

#[tokio::test]
async fn every_post_answers_the_same_again() {
    let community = Community::with_all_records().await;
    let parameters = community.parameters();
    let mut differences = Differences::default();
    for operation in Operation::posts() {
        for kind in &operation.kinds {
            let key = format!("{} {kind:?}", operation.id);
            let first = keyed(&community, operation, &parameters, *kind, &key).await;
            if first.status != operation.success && operation.succeeds(&first) {
                // Another credential has done it; what is refused has no answer to repeat.
                continue;
            }
            community.deliveries_done().await;
            let before = community.fingerprint().await;
            let second = keyed(&community, operation, &parameters, *kind, &key).await;
            let right = first.status == operation.success
                && first.header("idempotent-replayed").is_none()
                && told(&first) == told(&second)
                && second.header("idempotent-replayed") == Some("true")
                && community.fingerprint().await == before;
            differences.expect(right, key, format!("{first:?} then {second:?}"));
        }
    }
    differences.assert_none();
}

#[tokio::test]
async fn the_same_key_with_another_body_is_a_conflict() {
    let community = Community::with_all_records().await;
    let parameters = community.parameters();
    let mut differences = Differences::default();
    for operation in Operation::posts() {
        // Without a body, no request with the key is another one.
        let Some(another) = operation.another_body(&parameters) else {
            continue;
        };
        let by = community.credential(operation.kinds[0]);
        keyed(
            &community,
            operation,
            &parameters,
            operation.kinds[0],
            operation.id,
        )
        .await;
        let before = community.fingerprint().await;
        let call = by
            .sign(operation.bare(&community.rest, &parameters))
            .json(&another);
        let second = call.idempotency_key(operation.id).send().await;
        differences.note(
            operation.id,
            operation.family.check(&second, Refusal::Conflict),
        );
        let unchanged = community.fingerprint().await == before;
        differences.expect(
            unchanged,
            operation.id,
            "the second request wrote something",
        );
    }
    differences.assert_none();
}

#[tokio::test]
async fn the_prefixes_are_one_and_the_operations_are_not() {
    let community = Community::start().await;
    let (parameters, key) = (community.parameters(), "everywhere");
    let send = json!({ "channelId": parameters.channel, "message": "Once", "sender": "ada" });
    let mut ids = HashSet::new();
    for path in [
        "/v1/messages/send",
        "/apis/v1/messages/send",
        "/api/v1/messages/send",
        "/apis/messages/send",
        "/messages/send",
        "/v1/messages",
        "/api/v1/apis/v1/messages/send/",
    ] {
        let call = community
            .integrator()
            .call(Method::POST, path)
            .idempotency_key(key)
            .json(&send);
        ids.insert(call.send().await.expect(200)["data"]["messageId"].to_string());
    }
    assert_eq!(ids.len(), 1);
    // Spelled otherwise, it is the same request: the service compares what it means.
    let spelled = json!({ "sender": "ada", "message": "Once", "channel_id": parameters.channel });
    let call = community
        .integrator()
        .call(Method::POST, "/v1/messages/send")
        .idempotency_key(key);
    ids.insert(call.json(&spelled).send().await.expect(200)["data"]["messageId"].to_string());
    assert_eq!(ids.len(), 1);

    let reply = json!({ "messageId": parameters.message, "message": "Once", "sender": "ada" });
    let call = community
        .integrator()
        .call(Method::POST, "/v1/messages/reply")
        .idempotency_key(key);
    let replied = call.json(&reply).send().await;
    assert_eq!(replied.header("idempotent-replayed"), None);
    ids.insert(replied.expect(200)["data"]["messageId"].to_string());
    // And another credential has keys of its own.
    let mine = json!({ "channelId": parameters.channel, "message": "Once", "sender": "johndoe" });
    let call = community
        .bearer(&community.demo.user_api_key)
        .call(Method::POST, "/v1/messages/send");
    let sent = call.idempotency_key(key).json(&mine).send().await;
    ids.insert(sent.expect(200)["data"]["messageId"].to_string());
    assert_eq!(ids.len(), 3);
}

#[tokio::test]
async fn the_same_idempotency_key_answers_the_same_over_both_protocols() {
    let community = Community::start().await;
    let general = community.demo.channel("general");
    let hello = SendMessageRequest {
        channel: general.to_owned(),
        sender: "ada".into(),
        text: "Hello".into(),
        ..Default::default()
    };
    let mut messages = MessageServiceClient::new(community.services.clone());
    let mut request = signed(hello, &format!("Bearer {}", community.demo.api_key));
    request
        .metadata_mut()
        .insert("idempotency-key", "one".parse().unwrap());
    let answer = messages.send_message(request).await.unwrap();
    assert!(answer.metadata().get("idempotent-replayed").is_none());
    assert!(answer.metadata().contains_key("x-request-id"));
    let id = answer.into_inner().message.unwrap().id;
    let body = json!({ "channelId": general, "message": "Hello", "sender": "ada" });
    let call = community
        .integrator()
        .call(Method::POST, "/v1/messages/send")
        .json(&body);
    let again = call.idempotency_key("one").send().await;
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_eq!(again.expect(200)["data"]["messageId"], id);
}

#[tokio::test]
async fn a_refused_request_keeps_its_key_free() {
    let community = Community::start().await;
    let send = |channel: &str| json!({ "channelId": channel, "message": "Hi", "sender": "ada" });
    let post = async |body: &Value| {
        let call = community
            .integrator()
            .call(Method::POST, "/v1/messages/send");
        call.idempotency_key("retry").json(body).send().await
    };
    assert_eq!(post(&send("0123456789abcdef01234567")).await.status, 404);
    let sent = post(&send(community.demo.channel("general"))).await;
    assert_eq!(sent.header("idempotent-replayed"), None);
    sent.expect(200);
}

#[tokio::test]
async fn an_answer_outlives_the_process() {
    let community = Community::alone().await;
    let (send, parameters) = (Operation::named("messages-send"), community.parameters());
    let first = keyed(&community, send, &parameters, Kind::CommunityKey, "k").await;
    let community = Community::around(community.platform.kill_and_restart().await).await;
    let second = keyed(&community, send, &parameters, Kind::CommunityKey, "k").await;
    assert_eq!(told(&first), told(&second));
    assert_eq!(second.header("idempotent-replayed"), Some("true"));
}

#[tokio::test]
async fn a_thousand_at_once_are_one() {
    let community = Community::with_all_records().await;
    for id in [
        "messages-send",
        "messages-reply",
        "sb-messages-send",
        "mb-messages-send",
    ] {
        let before = count(&community).await;
        at_once(&community, Operation::named(id), 1_000).await;
        assert_eq!(count(&community).await, before + 1, "{id}");
    }
}

#[tokio::test]
async fn a_hundred_at_once_are_one_in_every_operation() {
    let community = Community::with_all_records().await;
    for operation in Operation::posts() {
        at_once(&community, operation, 100).await;
    }
    let channels = community.data("/v1/channels").await;
    let channels = channels.as_array().unwrap();
    let made = channels
        .iter()
        .filter(|channel| channel["topic"] == "Lounge");
    assert_eq!(made.count(), 1);
}

/// Makes one call many times at once, with one key: one is made, and the others are the same.
async fn at_once(community: &Community, operation: &Operation, times: usize) {
    let rest = Rest::multiplexed(community.platform.http());
    let (id, parameters, by) = (
        operation.id,
        community.parameters(),
        community.credential(operation.kinds[0]),
    );
    let calls = (0..times).map(|_| {
        let call = operation.call(&rest, &parameters, &by).idempotency_key(id);
        call.send()
    });
    let answers = join_all(calls).await;
    let (good, others): (Vec<_>, Vec<_>) = answers
        .iter()
        .partition(|answer| answer.status == operation.success);
    assert!(!good.is_empty(), "{id}: {:?}", others[0]);
    assert!(
        good.iter().all(|answer| answer.body == good[0].body),
        "{id}"
    );
    let first = good
        .iter()
        .filter(|answer| answer.header("idempotent-replayed").is_none());
    assert_eq!(first.count(), 1, "{id}");
    for other in others {
        operation.family.refuses(other, Refusal::Conflict);
    }
}

/// Every message of the channels that these operations write to.
async fn count(community: &Community) -> usize {
    let room = "/v3/group_channels/{url}/messages?message_ts=9000000000000&prev_limit=200";
    let room = community
        .sendbird()
        .get(&community.parameters().fill(room))
        .await
        .expect(200);
    let room = room["messages"].as_array().unwrap().len();
    community
        .messages(community.demo.channel("general"))
        .await
        .len()
        + room
}
