//! Workflows: a handshake, and then events (contract: events, "Workflow webhooks").

use std::time::Duration;

use aws_lc_rs::hmac;
use guildhall_auth::Credential;
use guildhall_data::WorkflowId;
use guildhall_runtime::{Error, Reason, Result, Timestamp};
use serde_json::Value;

use super::body::Body;

/// How long a session lives.
pub const SESSION_LIFE: Duration = Duration::from_secs(300);
/// The largest event, in bytes.
const MAX_EVENT: usize = 64 * 1024;
/// What is passed on as it comes, but not with two values (contract: events, "Workflow webhooks").
const PASSED_ON: [&str; 4] = ["customerId", "firstName", "lastName", "occurredAt"];

/// What a workflow may tell of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventType {
    /// Somebody registered.
    UserRegistered,
    /// The check of somebody's identity went on.
    UserKycUpdated,
    /// Somebody paid in for the first time.
    UserFirstDeposit,
    /// An account was opened, blocked or closed.
    AccountStatusChanged,
    /// Somebody redeemed a reward.
    RewardRedeemed,
}

impl EventType {
    const ALL: [Self; 5] = [
        Self::UserRegistered,
        Self::UserKycUpdated,
        Self::UserFirstDeposit,
        Self::AccountStatusChanged,
        Self::RewardRedeemed,
    ];

    /// Its name in the contract.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::UserRegistered => "user.registered",
            Self::UserKycUpdated => "user.kyc_updated",
            Self::UserFirstDeposit => "user.first_deposit",
            Self::AccountStatusChanged => "account.status_changed",
            Self::RewardRedeemed => "reward.redeemed",
        }
    }

    fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// An event as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkflowEvent {
    /// What happened.
    pub kind: EventType,
    /// All of it, a JSON object.
    pub body: String,
}

impl WorkflowEvent {
    /// Reads the body of a call.
    ///
    /// # Errors
    /// BODY_TOO_LARGE, MALFORMED_BODY, MISSING_FIELD or INVALID_VALUE for its `eventType`, INVALID_VALUE
    /// for a field that is given twice with different values.
    pub fn read(body: Vec<u8>) -> Result<Self> {
        if body.len() > MAX_EVENT {
            let message = "The body is larger than 64 KiB";
            return Err(Error::new(Reason::BodyTooLarge, message));
        }
        let mut fields = Body::parse(&body)?;
        for field in PASSED_ON {
            fields.take(field)?;
        }
        let kind = match fields.take("eventType")? {
            None => return Err(Error::missing("eventType")),
            Some(Value::String(name)) => EventType::parse(&name),
            Some(_) => None,
        };
        let kind = kind.ok_or_else(|| {
            let names = EventType::ALL.map(EventType::name).join(", ");
            Error::invalid("eventType", format!("eventType must be one of {names}"))
        })?;
        // It was read as JSON, so it is UTF-8.
        let body = String::from_utf8(body).map_err(Error::internal)?;
        let body = body.trim_start_matches('\u{feff}').to_owned();
        Ok(Self { kind, body })
    }
}

/// Issues and checks the tokens of sessions. Nothing of them is stored.
#[derive(Debug)]
pub struct Sessions(hmac::Key);

impl Sessions {
    /// Under a key derived from the platform's secret, the same in every replica.
    #[must_use]
    pub fn derive(secret: &[u8]) -> Self {
        let root = hmac::Key::new(hmac::HMAC_SHA256, secret);
        let key = hmac::sign(&root, b"guildhall workflow sessions");
        Self(hmac::Key::new(hmac::HMAC_SHA256, key.as_ref()))
    }

    /// The token of a session with a workflow.
    #[must_use]
    pub fn issue(&self, workflow: WorkflowId, expires_at: Timestamp) -> String {
        let expiry = expires_at.as_millis().to_string();
        let tag = hmac::sign(&self.0, signed(workflow, &expiry).as_bytes());
        format!("{expiry}.{}", hex::encode(tag))
    }

    /// Lets in who presents a token of this workflow that lives at `now`.
    ///
    /// # Errors
    /// CREDENTIAL_MISSING, CREDENTIAL_INVALID: not said why.
    pub fn check(&self, workflow: WorkflowId, token: &str, now: Timestamp) -> Result<()> {
        if token.is_empty() {
            return Err(Error::new(Reason::CredentialMissing, "Invalid token"));
        }
        let expires_at = self.expiry_of(workflow, token);
        match expires_at {
            Some(expires_at) if now < expires_at => Ok(()),
            Some(_) | None => Err(Credential::invalid()),
        }
    }

    /// Whether a token was issued for this workflow, even if it has ended.
    #[must_use]
    pub fn is_ours(&self, workflow: WorkflowId, token: &str) -> bool {
        self.expiry_of(workflow, token).is_some()
    }

    /// When a token ends that is ours.
    fn expiry_of(&self, workflow: WorkflowId, token: &str) -> Option<Timestamp> {
        let (expiry, tag) = token.split_once('.')?;
        let tag = hex::decode(tag).ok()?;
        hmac::verify(&self.0, signed(workflow, expiry).as_bytes(), &tag).ok()?;
        expiry.parse().ok().map(Timestamp::from_millis)
    }
}

fn signed(workflow: WorkflowId, expiry: &str) -> String {
    format!("{workflow}.{expiry}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_opens_its_workflow_for_its_time() {
        let sessions = Sessions::derive(b"secret");
        let (ours, theirs) = (WorkflowId::generate(), WorkflowId::generate());
        let now = Timestamp::now();
        let expires_at = now.plus(SESSION_LIFE);
        let token = sessions.issue(ours, expires_at);
        assert!(sessions.check(ours, &token, now).is_ok());
        // Every replica knows it.
        assert!(Sessions::derive(b"secret").check(ours, &token, now).is_ok());
        let reason = |sessions: &Sessions, workflow, token: &str, now| {
            sessions.check(workflow, token, now).unwrap_err().reason()
        };
        let invalid = Reason::CredentialInvalid;
        assert_eq!(reason(&sessions, theirs, &token, now), invalid);
        assert_eq!(reason(&sessions, ours, &token, expires_at), invalid);
        assert!(sessions.is_ours(ours, &token) && !sessions.is_ours(theirs, &token));
        assert_eq!(
            reason(&Sessions::derive(b"other"), ours, &token, now),
            invalid
        );
        let (_, tag) = token.split_once('.').unwrap();
        let prolonged = format!("{}.{tag}", expires_at.plus(SESSION_LIFE).as_millis());
        for forged in [&prolonged, "x", ".", &token[1..]] {
            assert_eq!(reason(&sessions, ours, forged, now), invalid, "{forged}");
        }
        assert_eq!(reason(&sessions, ours, "", now), Reason::CredentialMissing);
    }

    #[test]
    fn an_event_is_an_object_of_a_known_type() {
        let read = |body: &str| WorkflowEvent::read(body.as_bytes().to_vec());
        for kind in EventType::ALL {
            let body = format!(r#"{{"eventType":"{}","customerId":"1"}}"#, kind.name());
            assert_eq!(
                read(&body).unwrap(),
                WorkflowEvent {
                    kind,
                    body: body.clone()
                }
            );
        }
        let spelled = r#"{"event_type":"user.registered"}"#;
        assert_eq!(read(spelled).unwrap().kind, EventType::UserRegistered);
        let large = format!(
            r#"{{"eventType":"user.registered","x":"{}"}}"#,
            "x".repeat(MAX_EVENT)
        );
        for (body, reason) in [
            ("", Reason::MalformedBody),
            ("[]", Reason::MalformedBody),
            ("{}", Reason::MissingField),
            (r#"{"eventType":null}"#, Reason::MissingField),
            (r#"{"eventType":1}"#, Reason::InvalidValue),
            (r#"{"eventType":"user.left"}"#, Reason::InvalidValue),
            (
                r#"{"eventType":"user.registered","event_type":"reward.redeemed"}"#,
                Reason::InvalidValue,
            ),
            (
                r#"{"event_type":"user.registered","customerId":1,"customer_id":2}"#,
                Reason::InvalidValue,
            ),
            (&large, Reason::BodyTooLarge),
        ] {
            assert_eq!(read(body).unwrap_err().reason(), reason, "{body:.40}");
        }
    }
}
