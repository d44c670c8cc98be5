//! Workflows: a handshake with a key, and then events with the token of the session.

use guildhall_proto::{
    events::v1::{Event, event::Payload},
    webhooks::v1::{
        CreateWorkflowRequest, DeleteWorkflowRequest,
        workflow_service_client::WorkflowServiceClient,
    },
};
use guildhall_testkit::{Answer, grpc::signed, secret};
use guildhall_tests::{Community, Family, Refusal, database};
use prost::Message;
use sea_orm::{ConnectionTrait, Statement};
use serde_json::{Value, json};

/// A workflow of the demo community.
pub(super) struct Workflow {
    pub(super) id: String,
    pub(super) path: String,
    pub(super) key: String,
}

impl Workflow {
    pub(super) async fn make(community: &Community) -> Self {
        let request = CreateWorkflowRequest {
            name: "Broker".into(),
        };
        let request = signed(request, &format!("Bearer {}", community.demo.api_key));
        let mut workflows = WorkflowServiceClient::new(community.services.clone());
        let made = workflows.create_workflow(request).await;
        let made = made.expect("a workflow").into_inner();
        secret::learn(secret::Kind::Credential, &made.api_key);
        let id = made.workflow.unwrap().id;
        Self {
            path: format!("/v1/webhooks/workflows/{id}"),
            id,
            key: made.api_key,
        }
    }

    async fn delete(&self, community: &Community) {
        let request = DeleteWorkflowRequest {
            id: self.id.clone(),
        };
        let request = signed(request, &format!("Bearer {}", community.demo.api_key));
        let mut workflows = WorkflowServiceClient::new(community.services.clone());
        let deleted = workflows.delete_workflow(request).await;
        deleted.expect("it is deleted");
    }

    pub(super) async fn shake(&self, community: &Community, headers: &[(&str, &str)]) -> Answer {
        let mut call = community.rest.post(&format!("{}/handshake", self.path));
        for (name, value) in headers {
            call = call.header(name, value);
        }
        call.send().await
    }

    /// The token of a new session.
    pub(super) async fn session(&self, community: &Community) -> String {
        let answer = self.shake(community, &[("x-api-key", &self.key)]).await;
        let answer = answer.expect(200);
        let token = answer["sessionToken"].as_str().unwrap().to_owned();
        let expected = json!({ "data": { "sessionToken": token }, "sessionToken": token });
        assert_eq!(answer, expected);
        token
    }

    pub(super) async fn tell(&self, community: &Community, token: &str, body: &str) -> Answer {
        let call = community
            .rest
            .post(&self.path)
            .header("x-session-token", token);
        call.body(body).send().await
    }
}

pub(super) fn registered(customer: &str) -> String {
    json!({ "eventType": "user.registered", "customerId": customer, "email": "a@b.example" })
        .to_string()
}

/// The events that were written down for the rest of the platform: type and body.
async fn written(community: &Community) -> Vec<(String, String)> {
    let database = database::of(&community.platform, "webhooks").await;
    let query = "SELECT payload FROM outbox ORDER BY position";
    let query = Statement::from_string(database.get_database_backend(), query);
    let rows = database.query_all_raw(query).await.unwrap();
    let events = rows.iter().filter_map(|row| {
        let payload: Vec<u8> = row.try_get("", "payload").unwrap();
        let event = Event::decode(payload.as_slice()).unwrap();
        if event.community_id != community.demo.community_id {
            return None;
        }
        let Payload::WorkflowEventReceived(received) = event.payload.unwrap() else {
            return None;
        };
        Some((received.event_type, received.body))
    });
    events.collect()
}

#[tokio::test]
async fn events_are_taken_after_a_handshake() {
    let community = Community::start().await;
    let broker = Workflow::make(&community).await;
    let token = broker.session(&community).await;
    let body = registered("4711");
    let taken = broker.tell(&community, &token, &body).await;
    let expected = json!({ "status": "success", "message": "Event accepted" });
    assert_eq!(taken.expect(200), expected);
    // The token is good for several.
    let deposit = json!({ "eventType": "user.first_deposit", "amount": 12.5 }).to_string();
    broker.tell(&community, &token, &deposit).await.expect(200);
    let expected = [("user.registered", body), ("user.first_deposit", deposit)];
    let expected = expected.map(|(kind, body)| (kind.to_owned(), body));
    assert_eq!(written(&community).await, expected, "as they came");

    for (body, refusal) in [
        (
            json!({ "eventType": "user.left" }).to_string(),
            Refusal::Invalid,
        ),
        (json!({ "customerId": "1" }).to_string(), Refusal::Invalid),
        ("[]".to_owned(), Refusal::Invalid),
        (registered(&"x".repeat(64 * 1024)), Refusal::TooLarge),
    ] {
        Family::E1.refuses(&broker.tell(&community, &token, &body).await, refusal);
    }
    assert_eq!(written(&community).await.len(), 2);
}

#[tokio::test]
async fn an_event_that_is_repeated_is_taken_once() {
    let community = Community::start().await;
    let broker = Workflow::make(&community).await;
    let token = broker.session(&community).await;
    let tell = async |name: &str, id: &str| {
        let call = community.rest.post(&broker.path).header(name, id);
        let call = call.header("x-session-token", &token);
        call.body(registered("4711")).send().await
    };
    for (times, (name, id)) in [("webhook-id", "evt_1"), ("Idempotency-Key", "evt_2")]
        .into_iter()
        .enumerate()
    {
        let first = tell(name, id).await;
        first.expect(200);
        assert_eq!(first.header("idempotent-replayed"), None);
        let again = tell(name, id).await;
        assert_eq!((again.status, &again.body), (200, &first.body));
        assert_eq!(again.header("idempotent-replayed"), Some("true"));
        assert_eq!(written(&community).await.len(), times + 1);
    }
    // Both names guard, whatever the other one says.
    for (id, key) in [("evt_1", "fresh"), ("fresh", "evt_2")] {
        let call = community.rest.post(&broker.path).header("webhook-id", id);
        let call = call.header("Idempotency-Key", key);
        let call = call.header("x-session-token", &token);
        let again = call.body(registered("4711")).send().await;
        assert_eq!(again.header("idempotent-replayed"), Some("true"), "{id}");
    }
    assert_eq!(written(&community).await.len(), 2);
    for name in ["webhook-id", "Idempotency-Key"] {
        let call = community.rest.post(&broker.path).header(name, "evt_1");
        let call = call.header("x-session-token", &token);
        let refused = call.body(registered("4712")).send().await.expect(409);
        let message = refused["message"].as_str().unwrap();
        assert!(message.starts_with(name), "{message}");
    }
}

#[tokio::test]
async fn a_handshake_takes_its_key_from_either_header() {
    let community = Community::start().await;
    let (broker, other) = (
        Workflow::make(&community).await,
        Workflow::make(&community).await,
    );
    let bearer = format!("Bearer {}", broker.key);
    for headers in [
        &[("Authorization", broker.key.as_str())][..],
        &[("Authorization", &bearer)],
        &[("Authorization", &bearer), ("x-api-key", &broker.key)],
    ] {
        broker.shake(&community, headers).await.expect(200);
    }
    let demo = &community.demo;
    for (headers, refusal) in [
        (&[][..], Refusal::Unauthenticated),
        (
            &[("x-api-key", other.key.as_str())],
            Refusal::Unauthenticated,
        ),
        (
            &[("x-api-key", &demo.system_api_key)],
            Refusal::Unauthenticated,
        ),
        (
            &[("Authorization", &demo.api_key)],
            Refusal::Unauthenticated,
        ),
        (
            &[("Authorization", &other.key), ("x-api-key", &broker.key)],
            Refusal::Invalid,
        ),
    ] {
        Family::E1.refuses(&broker.shake(&community, headers).await, refusal);
    }
}

#[tokio::test]
async fn a_token_opens_the_workflow_that_it_was_made_for() {
    let community = Community::start().await;
    let (broker, other) = (
        Workflow::make(&community).await,
        Workflow::make(&community).await,
    );
    let (token, foreign) = (
        broker.session(&community).await,
        other.session(&community).await,
    );
    let (_, tag) = token.split_once('.').unwrap();
    let prolonged = format!("9999999999999.{tag}");
    for wrong in ["", "nonsense", &foreign, &prolonged, &broker.key] {
        let answer = broker.tell(&community, wrong, &registered("1")).await;
        Family::E1.refuses(&answer, Refusal::Unauthenticated);
    }
    let unknown = Workflow {
        path: "/v1/webhooks/workflows/0123456789abcdef01234567".into(),
        ..Workflow::make(&community).await
    };
    let key = [("x-api-key", unknown.key.as_str())];
    Family::E1.refuses(&unknown.shake(&community, &key).await, Refusal::NotFound);

    broker.delete(&community).await;
    let answer = broker.tell(&community, &token, &registered("1")).await;
    Family::E1.refuses(&answer, Refusal::NotFound);
    let key = [("x-api-key", broker.key.as_str())];
    Family::E1.refuses(&broker.shake(&community, &key).await, Refusal::NotFound);
    other
        .tell(&community, &foreign, &registered("1"))
        .await
        .expect(200);
}

#[tokio::test]
async fn an_operator_makes_a_workflow_beside_the_running_platform() {
    let community = Community::start().await;
    let args = [
        "workflow",
        "create",
        "--community",
        &community.slug(),
        "--name",
        "Broker",
    ];
    let output = community.platform.command(&args).await;
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}");
    let printed: Value = serde_json::from_slice(&output.stdout).unwrap();
    let text = |field: &str| printed[field].as_str().unwrap().to_owned();
    let broker = Workflow {
        id: text("id"),
        path: text("path"),
        key: text("apiKey"),
    };
    let token = broker.session(&community).await;
    broker
        .tell(&community, &token, &registered("1"))
        .await
        .expect(200);

    let nowhere = [
        "workflow",
        "create",
        "--community",
        "nowhere",
        "--name",
        "Broker",
    ];
    assert!(!community.platform.command(&nowhere).await.status.success());
}
