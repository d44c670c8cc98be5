//! Workflows (contract: events, "Workflow webhooks").

use axum::{Json, extract::State};
use guildhall_auth::Credential;
use guildhall_proto::webhooks::v1::{BeginSessionRequest, ReceiveEventRequest};
use guildhall_runtime::Reason;
use guildhall_types::{WorkflowId, id};
use http::{HeaderMap, header::AUTHORIZATION};
use serde::Serialize;
use utoipa::ToSchema;

use super::receive::{DEDUP_ID, PRINTABLE};
use crate::{
    call::{Call, Replayed},
    endpoint::Endpoint,
    envelope::integration::Acknowledgement,
    extract::{self, Raw, Segments, header},
    failure::Result,
    schema::{header as header_parameter, pattern},
    upstream::Workflows,
};

/// The token of a session.
const SESSION_TOKEN: &str = "x-session-token";

pub fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::new("workflows-handshake", handshake, || {
            Handshake::new("1767323345678.6d1f0c".into())
        })
        .about(
            "Answers the workflow's API key, in `Authorization` or `x-api-key`, with a token for its events.",
        )
        .calls("/guildhall.webhooks.v1.WorkflowService/BeginSession")
        .refusing(&[
            Reason::CredentialInvalid,
            Reason::CredentialsConflict,
            Reason::WorkflowNotFound,
            Reason::RateLimited,
        ]),
        Endpoint::taking("workflows-event", event, WorkflowEvent::example, accepted)
            .about(
                "Takes an event, of at most 64 KiB. The token may be used several times within its life.",
            )
            .parameters(|| {
                let about = "At most 255 printable characters. The same value within 24 hours is taken \
                             once, with whatever Idempotency-Key";
                vec![header_parameter(DEDUP_ID, about, pattern(PRINTABLE))]
            })
            .calls("/guildhall.webhooks.v1.WorkflowService/ReceiveEvent")
            .naming(&[("dedup_id", DEDUP_ID)])
            .refusing(&[
                Reason::CredentialInvalid,
                Reason::WorkflowNotFound,
                Reason::InvalidValue,
                Reason::RateLimited,
            ]),
    ]
}

fn accepted() -> Acknowledgement {
    Acknowledgement::new("Event accepted")
}

/// A session has begun.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Handshake {
    data: Session,
    /// The same as in `data`, where older clients look for it.
    session_token: String,
}

impl Handshake {
    fn new(session_token: String) -> Self {
        let data = Session {
            session_token: session_token.clone(),
        };
        Self {
            data,
            session_token,
        }
    }
}

/// A session.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Session {
    /// Valid for 300 seconds, for this workflow alone.
    session_token: String,
}

async fn handshake(
    State(mut workflows): State<Workflows>,
    call: Call,
    headers: HeaderMap,
    Segments(workflow): Segments<String>,
) -> Result<Json<Handshake>> {
    let request = call.request(BeginSessionRequest {
        workflow_id: id::parse::<WorkflowId>("workflowId", &workflow)?.to_string(),
        api_key: api_key(&headers)?.to_owned(),
    });
    let answer = workflows.begin_session(request).await?;
    Ok(Json(Handshake::new(answer.into_inner().session_token)))
}

/// The key that a handshake presents, with or without `Bearer` before it.
fn api_key(headers: &HeaderMap) -> Result<&str> {
    let authorization = header(headers, AUTHORIZATION.as_str())?;
    let bearer = match authorization.split_once(' ') {
        Some((scheme, key)) if scheme.eq_ignore_ascii_case("bearer") => key.trim(),
        Some(_) | None => authorization,
    };
    let plain = extract::api_key(headers)?;
    if !bearer.is_empty() && !plain.is_empty() && bearer != plain {
        return Err(Credential::conflict().into());
    }
    Ok(if bearer.is_empty() { plain } else { bearer })
}

/// Something that happened elsewhere. Everything but `eventType` is kept as it comes, unchecked.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct WorkflowEvent {
    event_type: WorkflowEventType,
    /// A text.
    #[schema(value_type = Value, required = false)]
    customer_id: Option<String>,
    /// A text.
    #[schema(value_type = Value, required = false)]
    email: Option<String>,
    /// A text.
    #[schema(value_type = Value, required = false)]
    first_name: Option<String>,
    /// A text.
    #[schema(value_type = Value, required = false)]
    last_name: Option<String>,
    /// An ISO-8601 time.
    #[schema(value_type = Value, required = false)]
    occurred_at: Option<String>,
}

/// What happened.
#[derive(Debug, Serialize, ToSchema)]
#[expect(
    dead_code,
    reason = "the body is passed on as it came; this documents it"
)]
enum WorkflowEventType {
    #[serde(rename = "user.registered")]
    UserRegistered,
    #[serde(rename = "user.kyc_updated")]
    UserKycUpdated,
    #[serde(rename = "user.first_deposit")]
    UserFirstDeposit,
    #[serde(rename = "account.status_changed")]
    AccountStatusChanged,
    #[serde(rename = "reward.redeemed")]
    RewardRedeemed,
}

impl WorkflowEvent {
    fn example() -> Self {
        Self {
            event_type: WorkflowEventType::UserRegistered,
            customer_id: Some("4711".into()),
            email: Some("ann@example.com".into()),
            first_name: Some("Ann".into()),
            last_name: Some("Bell".into()),
            occurred_at: Some("2026-01-02T03:04:05.678Z".into()),
        }
    }
}

async fn event(
    State(mut workflows): State<Workflows>,
    call: Call,
    headers: HeaderMap,
    Segments(workflow): Segments<String>,
    Raw(body, _): Raw<WorkflowEvent>,
) -> Result<(Replayed, Json<Acknowledgement>)> {
    let request = call.request(ReceiveEventRequest {
        workflow_id: id::parse::<WorkflowId>("workflowId", &workflow)?.to_string(),
        session_token: header(&headers, SESSION_TOKEN)?.to_owned(),
        body: body.into(),
        dedup_id: header(&headers, DEDUP_ID)?.to_owned(),
    });
    let answer = workflows.receive_event(request).await?;
    Ok((Replayed::of(&answer), Json(accepted())))
}

#[cfg(test)]
mod tests {
    use http::HeaderName;

    use super::*;

    fn presented(headers: &[(&'static str, &str)]) -> Option<String> {
        let pair = |(name, value): &(&'static str, &str)| {
            (HeaderName::from_static(name), value.parse().unwrap())
        };
        let headers = headers.iter().map(pair).collect();
        api_key(&headers).ok().map(str::to_owned)
    }

    #[test]
    fn the_key_is_taken_from_either_header() {
        let key = Some("k".to_owned());
        assert_eq!(presented(&[("x-api-key", "k")]), key);
        assert_eq!(presented(&[("authorization", "k")]), key);
        assert_eq!(presented(&[("authorization", "bearer k")]), key);
        assert_eq!(
            presented(&[("authorization", "Bearer k"), ("x-api-key", "k")]),
            key
        );
        assert_eq!(presented(&[]), Some(String::new()));
        assert_eq!(
            presented(&[("authorization", "a"), ("x-api-key", "b")]),
            None
        );
    }
}
