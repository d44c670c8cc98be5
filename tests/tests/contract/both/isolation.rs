//! Two communities on one platform: a record of the other is as unknown as one that never was.

use guildhall_proto::messaging::v1::{
    GetMessageRequest, MessageReference, SendMessageRequest, WatchMessagesRequest,
    message_reference::Reference, message_service_client::MessageServiceClient,
};
use guildhall_testkit::{Answer, grpc::signed};
use guildhall_tests::{
    Community, Differences, OPERATIONS, Parameters, community::OtherCommunity, operation::Kind,
    parameters::UNKNOWN,
};
use serde_json::{Value, json};

/// What an outsider sees of an answer; the id that they sent themselves tells them nothing.
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

/// Our parameters with one record of theirs, and the same with an unknown one.
type Pair = (&'static str, fn(&mut Parameters, &str), String, String);

/// Our parameters with the id of a record that is not ours, and that id.
type Named = (Parameters, String);

/// What is named, one of theirs, and an unknown one.
fn cases(ours: &Parameters, theirs: &OtherCommunity) -> Vec<(&'static str, Named, Named)> {
    let named = |set: &dyn Fn(&mut Parameters, &str), id: &str| {
        let mut parameters = ours.clone();
        set(&mut parameters, id);
        (parameters, id.to_owned())
    };
    let pairs = pairs(theirs).into_iter();
    let pairs = pairs
        .map(|(what, set, foreign, unknown)| (what, named(&set, &foreign), named(&set, &unknown)));
    let records = theirs.parameters.records.iter();
    let records = records.map(|(collection, foreign)| {
        let set = |parameters: &mut Parameters, id: &str| parameters.records.set(collection, id);
        (collection, named(&set, foreign), named(&set, UNKNOWN))
    });
    pairs.chain(records).collect()
}

fn pairs(theirs: &OtherCommunity) -> Vec<Pair> {
    let (parameters, owner) = (&theirs.parameters, &theirs.community.owner);
    vec![
        (
            "channel",
            |parameters, id| parameters.channel = id.into(),
            parameters.channel.clone(),
            UNKNOWN.into(),
        ),
        (
            "message",
            |parameters, id| parameters.message = id.into(),
            parameters.message.clone(),
            UNKNOWN.into(),
        ),
        (
            "url",
            |parameters, url| parameters.url = url.into(),
            parameters.url.clone(),
            UNKNOWN.into(),
        ),
        (
            "number",
            |parameters, number| parameters.number = number.parse().unwrap(),
            parameters.number.to_string(),
            "9007199254740000".into(),
        ),
        (
            "project",
            |parameters, id| parameters.project = id.into(),
            parameters.project.clone(),
            UNKNOWN.into(),
        ),
        (
            "slug",
            |parameters, slug| parameters.project = slug.into(),
            theirs.community.slug.clone(),
            "nobodys".into(),
        ),
        (
            "chat",
            |parameters, id| parameters.chat = id.into(),
            parameters.chat.clone(),
            UNKNOWN.into(),
        ),
        (
            "chat message",
            |parameters, id| parameters.chat_message = id.into(),
            parameters.chat_message.clone(),
            UNKNOWN.into(),
        ),
        (
            "outgoing webhook",
            |parameters, id| parameters.outgoing = id.into(),
            parameters.outgoing.clone(),
            UNKNOWN.into(),
        ),
        (
            "delivery",
            |parameters, id| parameters.delivery = id.into(),
            parameters.delivery.clone(),
            UNKNOWN.into(),
        ),
        (
            "sender's name",
            |parameters, name| parameters.sender = name.into(),
            owner.username.clone(),
            "nobody".into(),
        ),
        (
            "sender's e-mail",
            |parameters, email| parameters.sender = email.into(),
            owner.email.clone(),
            "nobody@nowhere.example".into(),
        ),
        (
            "sender's id",
            |parameters, id| parameters.sender = id.into(),
            owner._id.clone(),
            UNKNOWN.into(),
        ),
        (
            "login",
            |parameters, email| parameters.email = email.into(),
            owner.email.clone(),
            "nobody@nowhere.example".into(),
        ),
    ]
}

#[tokio::test]
async fn a_foreign_record_is_answered_like_an_unknown_one() {
    let community = Community::with_all_records().await;
    let theirs = community.another("neighbours").await;
    let theirs = theirs.with_all_records(&community).await;
    let mut differences = Differences::default();
    let mut compared = 0;
    for (what, foreign, unknown) in cases(&community.parameters(), &theirs) {
        let ((mut at_foreign, foreign), (at_unknown, unknown)) = (foreign, unknown);
        if what == "login" {
            // Even the right password opens nothing here.
            at_foreign
                .password
                .clone_from(&theirs.community.owner.password);
        }
        for operation in OPERATIONS.iter() {
            if !operation.tells_apart(&at_foreign, &community.parameters()) {
                continue;
            }
            for kind in &operation.kinds {
                let by = community.credential(*kind);
                let foreign = seen(
                    &operation.make(&community.rest, &at_foreign, &by).await,
                    &foreign,
                );
                let unknown = seen(
                    &operation.make(&community.rest, &at_unknown, &by).await,
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
    let community = Community::start().await;
    let theirs = community.another("neighbours").await;
    for (query, foreign, unknown) in [
        ("parent_id", theirs.parameters.message.as_str(), UNKNOWN),
        ("before", &theirs.parameters.message, UNKNOWN),
        ("after", &theirs.parameters.message, UNKNOWN),
        ("email", &theirs.parameters.email, "nobody@nowhere.example"),
        ("user_id", &theirs.community.owner._id, UNKNOWN),
        ("forum_topic_id", &theirs.parameters.message, UNKNOWN),
    ] {
        let get = async |value: &str| {
            let answer = community
                .integrator()
                .get(&format!("/v1/messages?{query}={value}"))
                .await;
            seen(&answer, value)
        };
        assert_eq!(get(foreign).await, get(unknown).await, "{query}");
    }
}

#[tokio::test]
async fn a_stranger_with_good_credentials_of_their_own_changes_nothing() {
    let community = Community::with_all_records().await;
    let theirs = community.another("neighbours").await;
    let before = community.fingerprint().await;
    let mut differences = Differences::default();
    for operation in OPERATIONS.iter() {
        for kind in &operation.kinds {
            let answer = community.call(operation, &theirs.credential(*kind)).await;
            // What names no record works, in their own community.
            let own = !operation.tells_apart(&community.parameters(), &theirs.parameters);
            let right = own || answer.status >= 400;
            let case = format!("{} with their {kind:?}", operation.id);
            differences.expect(right, case, format!("{} {}", answer.status, answer.body));
            for secret in [
                &community.demo.community_id,
                &community.demo.users[0]._id,
                &community.demo.users[0].email,
            ] {
                let sent = operation
                    .body
                    .is_some_and(|body| body(&community.parameters()).to_string().contains(secret));
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
    community.fingerprint().await.assert_is(&before);
}

#[tokio::test]
async fn each_community_sees_its_own() {
    let community = Community::start().await;
    let theirs = community.another("neighbours").await;
    let ids = |data: &Value, list: &str, field: &str| -> Vec<Value> {
        let list = if list.is_empty() { data } else { &data[list] };
        list.as_array()
            .unwrap()
            .iter()
            .map(|item| item[field].clone())
            .collect()
    };
    let their_key = community.by(theirs.credential(Kind::CommunityKey));
    let messages = their_key.get("/v1/messages").await.expect(200);
    assert_eq!(
        ids(&messages["data"], "messages", "id"),
        [json!(theirs.parameters.message)]
    );
    let channels = their_key.get("/v1/channels").await.expect(200);
    assert_eq!(
        ids(&channels["data"], "", "_id"),
        [json!(theirs.parameters.channel)]
    );
    let ours = community.data("/v1/messages?count=100").await;
    assert!(!ids(&ours, "messages", "id").contains(&json!(theirs.parameters.message)));

    // Each community counts members, usernames and keys for itself.
    assert_eq!(theirs.community.owner.id, 1);
    let send = json!({ "channelId": theirs.parameters.channel, "message": "Hi", "sender": "1" });
    let sent = their_key
        .call(http::Method::POST, "/v1/messages/send")
        .idempotency_key("same");
    let sent = sent.json(&send).send().await.expect(200);
    let ours =
        json!({ "channelId": community.demo.channel("general"), "message": "Hi", "sender": "1" });
    let our_sent = community
        .integrator()
        .call(http::Method::POST, "/v1/messages/send")
        .idempotency_key("same");
    let our_sent = our_sent.json(&ours).send().await.expect(200);
    assert_ne!(sent["data"]["messageId"], our_sent["data"]["messageId"]);
}

#[tokio::test]
async fn the_services_keep_communities_apart_as_well() {
    let community = Community::start().await;
    let theirs = community.another("neighbours").await;
    let key = format!("Bearer {}", community.demo.api_key);
    let mut messages = MessageServiceClient::new(community.services.clone());
    let mut refusals = Vec::new();
    for (channel, message, number) in [
        (
            theirs.parameters.channel.as_str(),
            theirs.parameters.message.as_str(),
            theirs.parameters.number,
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
