//! Callers of incoming webhooks and workflows, who have no credential of a community: how often they
//! may call, and how much is kept of what they send.

use guildhall_proto::webhooks::v1::{
    BeginSessionRequest, ReceiveCallRequest, ReceiveEventRequest,
    incoming_webhook_service_client::IncomingWebhookServiceClient,
    workflow_service_client::WorkflowServiceClient,
};
use guildhall_testkit::{Answer, Options};
use guildhall_tests::{Community, Family, Refusal, database, webhook::Webhook};
use sea_orm::{ConnectionTrait, Statement};
use serde_json::json;
use tonic::{Code, Status};
use tonic_types::StatusExt;

use super::workflows::{Workflow, registered};

async fn with(variables: &[(&'static str, &str)]) -> Community {
    let variables = variables.iter();
    Community::start_with(Options {
        variables: variables
            .map(|(name, value)| (*name, (*value).to_owned()))
            .collect(),
        ..Options::default()
    })
    .await
}

/// Repeats a call until it is one too many; how many were let through, and the refusal.
async fn until_refused(limit: usize, mut call: impl AsyncFnMut() -> Answer) -> (usize, Answer) {
    for passed in 0..limit {
        let answer = call().await;
        if answer.status == 429 {
            Family::E1.refuses(&answer, Refusal::RateLimited);
            return (passed, answer);
        }
    }
    panic!("{limit} calls, and none too many");
}

fn seconds(answer: &Answer) -> u32 {
    answer
        .header("retry-after")
        .expect("Retry-After")
        .parse()
        .unwrap()
}

/// Fails the test unless a gRPC caller is told to come back later.
fn refused(status: &Status) {
    assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
    assert!(status.get_details_retry_info().is_some(), "{status}");
}

#[tokio::test]
async fn event_after_event_of_one_workflow_is_refused_and_others_go_on() {
    let community = with(&[("GUILDHALL_WORKFLOW_RATE_LIMIT", "1")]).await;
    let (busy, other) = (
        Workflow::make(&community).await,
        Workflow::make(&community).await,
    );
    let token = busy.session(&community).await;
    let tell = async || busy.tell(&community, &token, &registered("4711")).await;
    let (passed, refusal) = until_refused(100, tell).await;
    assert!(
        passed >= 9,
        "ten at once, one of which was the handshake, not {passed}"
    );
    assert_eq!(seconds(&refusal), 1);
    let mut workflows = WorkflowServiceClient::new(community.services.of("guildhall.webhooks"));
    let event = ReceiveEventRequest {
        workflow_id: busy.id.clone(),
        session_token: token.clone(),
        body: registered("4711").into_bytes(),
        ..Default::default()
    };
    refused(&workflows.receive_event(event).await.unwrap_err());
    let token = other.session(&community).await;
    other
        .tell(&community, &token, &registered("4711"))
        .await
        .expect(200);
}

#[tokio::test]
async fn a_workflow_keeps_so_many_bytes_of_a_day() {
    let community = with(&[
        ("GUILDHALL_WORKFLOW_RATE_LIMIT", "0"),
        ("GUILDHALL_WORKFLOW_DAILY_MIB", "1"),
    ])
    .await;
    let broker = Workflow::make(&community).await;
    let token = broker.session(&community).await;
    let event = registered(&"x".repeat(60_000));
    // A repeat is kept once.
    for _ in 0..3 {
        let call = community
            .rest
            .post(&broker.path)
            .header("webhook-id", "evt_1");
        let call = call.header("x-session-token", &token);
        call.body(event.clone()).send().await.expect(200);
    }
    let tell = async || broker.tell(&community, &token, &event).await;
    let (passed, refusal) = until_refused(100, tell).await;
    let kept = (1 << 20) / event.len();
    assert_eq!(passed, kept - 1);
    assert!((1..=24 * 60 * 60).contains(&seconds(&refusal)));
    // What is small enough is still taken, and it is counted where every replica and every later
    // process looks.
    broker
        .tell(&community, &token, &registered("1"))
        .await
        .expect(200);
    let database = database::of(&community.platform, "webhooks").await;
    let query = format!("SELECT bytes FROM workflows WHERE id = '{}'", broker.id);
    let query = Statement::from_string(database.get_database_backend(), query);
    let row = database.query_one_raw(query).await.unwrap().unwrap();
    let bytes: i64 = row.try_get("", "bytes").unwrap();
    let expected = kept * event.len() + registered("1").len();
    assert_eq!(bytes, i64::try_from(expected).unwrap());
}

#[tokio::test]
async fn who_guesses_keys_is_refused_before_a_key_is_looked_at() {
    let community = with(&[("GUILDHALL_CALLER_RATE_LIMIT", "50")]).await;
    let broker = Workflow::make(&community).await;
    let news = Webhook::make(&community, json!({})).await;
    let wrong = [("x-api-key", "00")];
    let (passed, refusal) =
        until_refused(100, async || broker.shake(&community, &wrong).await).await;
    assert!(passed >= 30, "thirty a minute, not {passed}");
    assert!((1..=2).contains(&seconds(&refusal)));
    // The keys are right, and nobody looks: at either door, over REST as over gRPC.
    let right = broker
        .shake(&community, &[("x-api-key", &broker.key)])
        .await;
    assert_eq!(right.status, 429, "{}", right.body);
    let hello = json!({ "message": "Hello" });
    Family::E1.refuses(&news.call(&community, &hello).await, Refusal::RateLimited);
    let channel = community.services.of("guildhall.webhooks");
    let begin = BeginSessionRequest {
        workflow_id: broker.id.clone(),
        api_key: broker.key.clone(),
    };
    let mut workflows = WorkflowServiceClient::new(channel.clone());
    refused(&workflows.begin_session(begin).await.unwrap_err());
    let call = ReceiveCallRequest {
        address: news.path.rsplit_once('/').unwrap().1.to_owned(),
        api_key: news.key.clone(),
        body: hello.to_string().into_bytes(),
        ..Default::default()
    };
    let mut webhooks = IncomingWebhookServiceClient::new(channel);
    refused(&webhooks.receive_call(call).await.unwrap_err());
}

#[tokio::test]
async fn one_address_calls_so_often_whatever_it_calls() {
    let community = with(&[("GUILDHALL_CALLER_RATE_LIMIT", "1")]).await;
    let news = Webhook::make(&community, json!({})).await;
    let hello = json!({ "message": "Hello" });
    let (passed, refusal) = until_refused(60, async || news.call(&community, &hello).await).await;
    assert!(passed >= 10, "ten at once, not {passed}");
    assert_eq!(seconds(&refusal), 1);
}
