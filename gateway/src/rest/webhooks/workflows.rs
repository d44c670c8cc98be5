//! Workflows (contract: events, "Workflow webhooks").

use axum::{Json, extract::State};
use guildhall_auth::{AccessRule, Credential};
use guildhall_proto::webhooks::v1::{BeginSessionRequest, ReceiveEventRequest};
use guildhall_runtime::Reason;
use guildhall_types::WorkflowId;
use http::{HeaderMap, header::AUTHORIZATION};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::receive::{API_KEY, dedup_id};
use crate::{
    call::{Call, Replayed},
    endpoint::{Endpoint, OwnCredential},
    envelope::{Family, integration::Acknowledgement},
    extract::{Raw, Segments, header, id},
    failure::Result,
    upstream::Services,
};

/// The token of a session.
const SESSION_TOKEN: &str = "x-session-token";

pub fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::new(
            "workflows-handshake",
            "Workflow webhook handshake",
            Family::Bare,
            AccessRule::Public,
            routes!(handshake),
        )
        .calls("/guildhall.webhooks.v1.WorkflowService/BeginSession")
        .presenting(&[OwnCredential::WebhookKey])
        .refusing(&[
            Reason::CredentialInvalid,
            Reason::CredentialsConflict,
            Reason::WorkflowNotFound,
        ]),
        Endpoint::new(
            "workflows-event",
            "Workflow webhook event",
            Family::Integration,
            AccessRule::Public,
            routes!(event),
        )
        .calls("/guildhall.webhooks.v1.WorkflowService/ReceiveEvent")
        .presenting(&[OwnCredential::SessionToken])
        .refusing(&[
            Reason::CredentialInvalid,
            Reason::WorkflowNotFound,
            Reason::InvalidValue,
        ]),
    ]
}

/// A session has begun.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Handshake {
    data: Session,
    /// The same as in `data`, where older clients look for it.
    session_token: String,
}

/// A session.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Session {
    /// Valid for 300 seconds, for this workflow alone.
    session_token: String,
}

/// Answers the workflow's API key, in `Authorization` or `x-api-key`, with a token for its events.
#[utoipa::path(
    post,
    path = "/webhooks/workflows/{workflowId}/handshake",
    tag = "Webhooks",
    params(("workflowId" = String, Path, description = "24 hexadecimal characters")),
    responses((status = 200, description = "The token", body = Handshake, example = json!({
        "data": { "sessionToken": "1767323345678.6d1f…" },
        "sessionToken": "1767323345678.6d1f…"
    })))
)]
async fn handshake(
    State(services): State<Services>,
    call: Call,
    headers: HeaderMap,
    Segments(workflow): Segments<String>,
) -> Result<Json<Handshake>> {
    let request = call.request(BeginSessionRequest {
        workflow_id: id::<WorkflowId>("workflowId", &workflow)?.to_string(),
        api_key: api_key(&headers)?.to_owned(),
    });
    let answer = services.workflows().begin_session(request).await?;
    let session_token = answer.into_inner().session_token;
    Ok(Json(Handshake {
        data: Session {
            session_token: session_token.clone(),
        },
        session_token,
    }))
}

/// The key that a handshake presents, with or without `Bearer` before it.
fn api_key(headers: &HeaderMap) -> Result<&str> {
    let authorization = header(headers, AUTHORIZATION.as_str())?;
    let bearer = match authorization.split_once(' ') {
        Some((scheme, key)) if scheme.eq_ignore_ascii_case("bearer") => key.trim(),
        Some(_) | None => authorization,
    };
    let plain = header(headers, API_KEY)?;
    if !bearer.is_empty() && !plain.is_empty() && bearer != plain {
        return Err(Credential::conflict().into());
    }
    Ok(if bearer.is_empty() { plain } else { bearer })
}

/// Something that happened elsewhere; further fields are kept as they come.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[expect(
    dead_code,
    reason = "the body is passed on as it came; this documents it"
)]
struct WorkflowEvent {
    /// `user.registered`, `user.kyc_updated`, `user.first_deposit`, `account.status_changed` or
    /// `reward.redeemed`
    event_type: String,
    customer_id: Option<String>,
    email: Option<String>,
    first_name: Option<String>,
    last_name: Option<String>,
    /// ISO-8601
    occurred_at: Option<String>,
}

/// Takes an event, of at most 64 KiB. The token may be used several times within its life.
#[utoipa::path(
    post,
    path = "/webhooks/workflows/{workflowId}",
    tag = "Webhooks",
    params(
        ("workflowId" = String, Path, description = "24 hexadecimal characters"),
        ("webhook-id" = Option<String>, Header, description = "The same value within 24 hours is taken once"),
    ),
    request_body(content = WorkflowEvent, example = json!({
        "eventType": "user.registered", "customerId": "4711", "email": "ann@example.com",
        "firstName": "Ann", "lastName": "Bell", "occurredAt": "2026-01-02T03:04:05.678Z"
    })),
    responses((status = 200, description = "Taken", body = Acknowledgement, example = json!({
        "status": "success", "message": "Event accepted"
    })))
)]
async fn event(
    State(services): State<Services>,
    call: Call,
    headers: HeaderMap,
    Segments(workflow): Segments<String>,
    Raw(body): Raw,
) -> Result<(Replayed, Json<Acknowledgement>)> {
    let request = call.request(ReceiveEventRequest {
        workflow_id: id::<WorkflowId>("workflowId", &workflow)?.to_string(),
        session_token: header(&headers, SESSION_TOKEN)?.to_owned(),
        body: body.into(),
        dedup_id: dedup_id(&headers)?,
    });
    let answer = services.workflows().receive_event(request).await?;
    let replayed = Replayed::of(&answer);
    Ok((replayed, Json(Acknowledgement::new("Event accepted"))))
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
