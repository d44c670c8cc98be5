//! Trying out an outgoing webhook (contract: settlements, "webhooks-out-test").

use axum::extract::State;
use guildhall_proto::webhooks::v1::{
    EventKind, TestOutgoingWebhookRequest, TestOutgoingWebhookResponse,
};
use guildhall_runtime::Reason;
use guildhall_types::{WebhookId, id};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::outgoing_event::OutgoingEvent;
use crate::{
    call::{Call, Replayed},
    endpoint::Endpoint,
    envelope::application::Application,
    extract::{Input, Segments},
    failure::Result,
    sample,
    upstream::OutgoingWebhooks,
};

pub fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::taking("webhooks-out-test", test, Trial::example, || {
            done(sample::trial())
        })
        .about(
            "Delivers a sample of an event at once, signed and encrypted like a real one, also when the \
             webhook is off, and answers what the receiver said. It is not retried, not listed among \
             the deliveries, and not counted as a failure.",
        )
        .calls("/guildhall.webhooks.v1.OutgoingWebhookService/TestOutgoingWebhook")
        .refusing(&[Reason::WebhookNotFound, Reason::RateLimited]),
    ]
}

fn done(answer: TestOutgoingWebhookResponse) -> Application<TrialRecord> {
    Application::new("Test success.", answer.into())
}

/// What to send.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
struct Trial {
    event: OutgoingEvent,
}

impl Trial {
    fn example() -> Self {
        Self {
            event: OutgoingEvent::MessagePosted,
        }
    }
}

/// What the receiver said.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct TrialRecord {
    /// `event_id` and `webhook-id` of the sample.
    #[serde(rename = "event_id")]
    event_id: String,
    event: Option<OutgoingEvent>,
    /// Status of the answer; null when there was none.
    response_status: Option<i32>,
    /// The first 1,000 characters of the answer; null when there was none.
    response_body: Option<String>,
    /// Why it would count as failed; null when it would not.
    error: Option<String>,
    duration_ms: i64,
}

impl From<TestOutgoingWebhookResponse> for TrialRecord {
    fn from(trial: TestOutgoingWebhookResponse) -> Self {
        let answered = trial.response_status != 0;
        Self {
            event: OutgoingEvent::of(trial.event()),
            event_id: trial.event_id,
            response_status: answered.then_some(trial.response_status),
            response_body: answered.then_some(trial.response_body),
            error: Some(trial.error).filter(|error| !error.is_empty()),
            duration_ms: trial.duration_ms,
        }
    }
}

async fn test(
    State(mut webhooks): State<OutgoingWebhooks>,
    call: Call,
    Segments(webhook): Segments<String>,
    Input(trial): Input<Trial>,
) -> Result<(Replayed, Application<TrialRecord>)> {
    let request = call.request(TestOutgoingWebhookRequest {
        webhook_id: id::parse::<WebhookId>("webhookId", &webhook)?.to_string(),
        event: EventKind::from(trial.event).into(),
    });
    let answer = webhooks.test_outgoing_webhook(request).await?;
    let replayed = Replayed::of(&answer);
    Ok((replayed, done(answer.into_inner())))
}
