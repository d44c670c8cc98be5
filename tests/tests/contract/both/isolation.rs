//! Two communities on one platform: a record of the other is as unknown as one that never was.

use guildhall_proto::messaging::v1::{
    GetMessageRequest, MessageReference, SendMessageRequest, WatchMessagesRequest,
    message_reference::Reference, message_service_client::MessageServiceClient,
};
use guildhall_testkit::{Answer, grpc::signed};
use guildhall_tests::{
    Differences, OPERATIONS, Place, Town,
    operation::Kind,
    town::{Neighbour, UNKNOWN},
};
use serde_json::{Value, json};

/// What an outsider sees of an answer; the id that he sent himself tells him nothing.
fn seen(answer: &Answer, sent: &str) -> (u16, Vec<(String, String)>, String) {
    let headers = answer
        .headers
        .iter()
        .filter(|(name, _)| !["x-request-id", "date", "content-length"].contains(&name.as_str()));
    let headers =
        headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()));
    (
        answer.status,
        headers.collect(),
        answer.body.replace(sent, "<what was sent>"),
    )
}

/// Our place with one record of theirs, and the same with an unknown one.
type Pair = (&'static str, fn(&mut Place, &str), String, String);

fn pairs(theirs: &Neighbour) -> Vec<Pair> {
    let (place, owner) = (&theirs.place, &theirs.community.owner);
    vec![
        (
            "channel",
            |place, id| place.channel = id.into(),
            place.channel.clone(),
            UNKNOWN.into(),
        ),
        (
            "message",
            |place, id| place.message = id.into(),
            place.message.clone(),
            UNKNOWN.into(),
        ),
        (
            "url",
            |place, url| place.url = url.into(),
            place.url.clone(),
            UNKNOWN.into(),
        ),
        (
            "number",
            |place, number| place.number = number.parse().unwrap(),
            place.number.to_string(),
            "9007199254740000".into(),
        ),
        (
            "project",
            |place, id| place.project = id.into(),
            place.project.clone(),
            UNKNOWN.into(),
        ),
        (
            "slug",
            |place, slug| place.project = slug.into(),
            theirs.community.slug.clone(),
            "nobodys".into(),
        ),
        (
            "chat",
            |place, id| place.chat = id.into(),
            place.chat.clone(),
            UNKNOWN.into(),
        ),
        (
            "chat message",
            |place, id| place.chat_message = id.into(),
            place.chat_message.clone(),
            UNKNOWN.into(),
        ),
        (
            "incoming webhook",
            |place, id| place.incoming = id.into(),
            place.incoming.clone(),
            UNKNOWN.into(),
        ),
        (
            "outgoing webhook",
            |place, id| place.outgoing = id.into(),
            place.outgoing.clone(),
            UNKNOWN.into(),
        ),
        (
            "delivery",
            |place, id| place.delivery = id.into(),
            place.delivery.clone(),
            UNKNOWN.into(),
        ),
        (
            "sender's name",
            |place, name| place.sender = name.into(),
            owner.username.clone(),
            "nobody".into(),
        ),
        (
            "sender's e-mail",
            |place, email| place.sender = email.into(),
            owner.email.clone(),
            "nobody@nowhere.example".into(),
        ),
        (
            "sender's id",
            |place, id| place.sender = id.into(),
            owner._id.clone(),
            UNKNOWN.into(),
        ),
        (
            "login",
            |place, email| place.email = email.into(),
            owner.email.clone(),
            "nobody@nowhere.example".into(),
        ),
    ]
}

#[tokio::test]
async fn a_foreign_record_is_answered_like_an_unknown_one() {
    let town = Town::with_all_records().await;
    let theirs = town.neighbour("neighbours").await;
    let theirs = theirs.with_all_records(&town).await;
    let mut differences = Differences::default();
    let mut compared = 0;
    for (what, set, foreign, unknown) in pairs(&theirs) {
        let (mut at_foreign, mut at_unknown) = (town.place(), town.place());
        set(&mut at_foreign, &foreign);
        set(&mut at_unknown, &unknown);
        if what == "login" {
            // Even the right password opens nothing here.
            at_foreign
                .password
                .clone_from(&theirs.community.owner.password);
        }
        for operation in OPERATIONS.iter() {
            if !operation.tells_apart(&at_foreign, &town.place()) {
                continue;
            }
            for kind in &operation.kinds {
                let by = town.credential(*kind);
                let foreign = seen(
                    &operation.make(&town.rest, &at_foreign, &by).await,
                    &foreign,
                );
                let unknown = seen(
                    &operation.make(&town.rest, &at_unknown, &by).await,
                    &unknown,
                );
                let refused = foreign.0 >= 400;
                let case = format!("{} with {kind:?} and their {what}", operation.id);
                let found = format!("{foreign:?} is not {unknown:?}");
                differences.expect(refused && foreign == unknown, case, found);
                compared += 1;
            }
        }
    }
    differences.assert_none();
    assert!(compared > 40, "only {compared} comparisons");
}

#[tokio::test]
async fn queries_find_nothing_of_the_others() {
    let town = Town::start().await;
    let theirs = town.neighbour("neighbours").await;
    for (query, foreign, unknown) in [
        ("parent_id", theirs.place.message.as_str(), UNKNOWN),
        ("before", &theirs.place.message, UNKNOWN),
        ("after", &theirs.place.message, UNKNOWN),
        ("email", &theirs.place.email, "nobody@nowhere.example"),
        ("user_id", &theirs.community.owner._id, UNKNOWN),
        ("forum_topic_id", &theirs.place.message, UNKNOWN),
    ] {
        let get = async |value: &str| {
            let answer = town
                .integrator()
                .get(&format!("/v1/messages?{query}={value}"))
                .await;
            seen(&answer, value)
        };
        assert_eq!(get(foreign).await, get(unknown).await, "{query}");
    }
}

#[tokio::test]
async fn a_stranger_with_good_credentials_of_his_own_changes_nothing() {
    let town = Town::with_all_records().await;
    let theirs = town.neighbour("neighbours").await;
    let before = town.fingerprint().await;
    let mut differences = Differences::default();
    for operation in OPERATIONS.iter() {
        for kind in &operation.kinds {
            let answer = operation
                .make(&town.rest, &town.place(), &theirs.credential(*kind))
                .await;
            // What names no record works, in their own community.
            let own = !operation.tells_apart(&town.place(), &theirs.place);
            let right = own || answer.status >= 400;
            let case = format!("{} with their {kind:?}", operation.id);
            differences.expect(right, case, format!("{} {}", answer.status, answer.body));
            for secret in [
                &town.demo.community_id,
                &town.demo.users[0]._id,
                &town.demo.users[0].email,
            ] {
                let sent = operation
                    .body
                    .is_some_and(|body| body(&town.place()).to_string().contains(secret));
                let leaked = answer.body.contains(secret.as_str()) && !sent;
                differences.expect(
                    !leaked,
                    format!("{} leaks {secret}", operation.id),
                    &answer.body,
                );
            }
        }
    }
    differences.assert_none();
    town.fingerprint().await.assert_is(&before);
}

#[tokio::test]
async fn each_community_sees_its_own() {
    let town = Town::start().await;
    let theirs = town.neighbour("neighbours").await;
    let ids = |data: &Value, list: &str, field: &str| -> Vec<Value> {
        let list = if list.is_empty() { data } else { &data[list] };
        list.as_array()
            .unwrap()
            .iter()
            .map(|item| item[field].clone())
            .collect()
    };
    let their_key = town.by(theirs.credential(Kind::CommunityKey));
    let messages = their_key.get("/v1/messages").await.expect(200);
    assert_eq!(
        ids(&messages["data"], "messages", "id"),
        [json!(theirs.place.message)]
    );
    let channels = their_key.get("/v1/channels").await.expect(200);
    assert_eq!(
        ids(&channels["data"], "", "_id"),
        [json!(theirs.place.channel)]
    );
    let ours = town.data("/v1/messages?count=100").await;
    assert!(!ids(&ours, "messages", "id").contains(&json!(theirs.place.message)));

    // Everybody counts members, usernames and keys for himself.
    assert_eq!(theirs.community.owner.id, 1);
    let send = json!({ "channelId": theirs.place.channel, "message": "Hi", "sender": "1" });
    let sent = their_key
        .call(http::Method::POST, "/v1/messages/send")
        .idempotency_key("same");
    let sent = sent.json(&send).send().await.expect(200);
    let ours = json!({ "channelId": town.demo.channel("general"), "message": "Hi", "sender": "1" });
    let our_sent = town
        .integrator()
        .call(http::Method::POST, "/v1/messages/send")
        .idempotency_key("same");
    let our_sent = our_sent.json(&ours).send().await.expect(200);
    assert_ne!(sent["data"]["messageId"], our_sent["data"]["messageId"]);
}

#[tokio::test]
async fn the_services_keep_communities_apart_as_well() {
    let town = Town::start().await;
    let theirs = town.neighbour("neighbours").await;
    let key = format!("Bearer {}", town.demo.api_key);
    let mut messages = MessageServiceClient::new(town.services.clone());
    let mut refusals = Vec::new();
    for (channel, message, number) in [
        (
            theirs.place.channel.as_str(),
            theirs.place.message.as_str(),
            theirs.place.number,
        ),
        (UNKNOWN, UNKNOWN, 9_007_199_254_740_000),
    ] {
        let mut statuses = Vec::new();
        for reference in [Reference::Id(message.into()), Reference::Number(number)] {
            let reference = MessageReference {
                reference: Some(reference),
                ..Default::default()
            };
            let request = GetMessageRequest {
                message: Some(reference),
            };
            statuses.push(
                messages
                    .get_message(signed(request, &key))
                    .await
                    .unwrap_err(),
            );
        }
        let request = SendMessageRequest {
            channel: channel.into(),
            sender: "ada".into(),
            text: "Hi".into(),
            ..Default::default()
        };
        statuses.push(
            messages
                .send_message(signed(request, &key))
                .await
                .unwrap_err(),
        );
        let request = WatchMessagesRequest {
            channel: channel.into(),
            after_seq: Some(0),
        };
        statuses.push(
            messages
                .watch_messages(signed(request, &key))
                .await
                .unwrap_err(),
        );
        let told = statuses.iter().map(|status| {
            (
                status.code(),
                status.message().replace(channel, "<id>"),
                status.details().to_vec(),
            )
        });
        refusals.push(told.collect::<Vec<_>>());
    }
    assert_eq!(refusals[0], refusals[1]);
    assert!(
        refusals[0]
            .iter()
            .all(|(code, ..)| *code == tonic::Code::NotFound)
    );
}
