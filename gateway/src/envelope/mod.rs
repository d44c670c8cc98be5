//! The forms in which the families of the contract answer (contract: identity, "Envelopes" and
//! "Errors").
//!
//! [`Family::status`] and [`Family::body`] are total: every reason has a status and a body in every
//! family, without a default arm.

pub mod application;
pub mod integration;
pub mod mudbase;
mod names;
pub mod page;
pub mod sendbird;
pub mod system;

use std::time::Duration;

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use guildhall_runtime::{Error, ErrorKind, Reason};
use http::{HeaderValue, StatusCode, header::RETRY_AFTER};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

pub use names::{FieldNames, mask};

use self::names::Naming;
use crate::{
    failure::{Failure, Names},
    prefix,
};

/// A family of envelopes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Family {
    /// E1: users, messages, channels.
    Integration,
    /// E2: keys, fields, management.
    Application,
    /// E3: logins, channel writes, all that is older.
    System,
    /// The Sendbird facade.
    Sendbird,
    /// The Mudbase facade.
    Mudbase,
    /// No envelope; errors as in E1.
    Bare,
}

/// What is wrong with a field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldError {
    /// The field as the caller spells it.
    pub field: String,
    /// What is wrong with it and what to do.
    pub message: String,
}

/// A failure as the endpoint's callers are told of it.
pub struct Refusal<'a> {
    pub failure: &'a Failure,
    pub message: String,
    pub fields: Vec<FieldError>,
}

impl<'a> Refusal<'a> {
    fn new(failure: &'a Failure, family: Family, exceptions: FieldNames) -> Self {
        let error = &failure.error;
        let naming = Naming { family, exceptions };
        let (message, fields) = match failure.names {
            Names::OfCallers => (error.message().to_owned(), own_fields(error)),
            Names::OfService => (
                naming.sentence(error.message(), error),
                naming.fields(error),
            ),
        };
        Self {
            failure,
            message,
            fields,
        }
    }

    fn reason(&self) -> Reason {
        self.failure.error.reason()
    }

    fn kind(&self) -> ErrorKind {
        self.failure.error.kind()
    }
}

fn own_fields(error: &Error) -> Vec<FieldError> {
    let errors = error.violations().iter().map(|violation| FieldError {
        field: violation.field.clone(),
        message: violation.description.clone(),
    });
    errors.collect()
}

impl Family {
    /// Every family.
    pub const ALL: &[Self] = &[
        Self::Integration,
        Self::Application,
        Self::System,
        Self::Sendbird,
        Self::Mudbase,
        Self::Bare,
    ];

    /// The name in the contract's list of endpoints.
    #[must_use]
    pub fn contract_name(self) -> &'static str {
        match self {
            Self::Integration => "E1",
            Self::Application => "E2",
            Self::System => "E3",
            Self::Sendbird => "sendbird",
            Self::Mudbase => "mudbase",
            Self::Bare => "bare",
        }
    }

    /// The family that answers for a path without a route.
    pub fn of_path(path: &str) -> Self {
        if prefix::is_below(path, "/v3") {
            Self::Sendbird
        } else if prefix::is_below(path, "/api/chat/projects") {
            Self::Mudbase
        } else {
            Self::Application
        }
    }

    /// The HTTP status of an error (contract: identity, "DECISION: statuses").
    #[must_use]
    pub fn status(self, kind: ErrorKind) -> StatusCode {
        let missing_permission = match self {
            Self::Sendbird => return sendbird::status(kind),
            Self::Integration | Self::Bare => StatusCode::UNAUTHORIZED,
            Self::Application | Self::System | Self::Mudbase => StatusCode::FORBIDDEN,
        };
        match kind {
            ErrorKind::Invalid => StatusCode::BAD_REQUEST,
            ErrorKind::Unauthenticated => StatusCode::UNAUTHORIZED,
            ErrorKind::MissingPermission => missing_permission,
            ErrorKind::Forbidden => StatusCode::FORBIDDEN,
            ErrorKind::NotFound => StatusCode::NOT_FOUND,
            ErrorKind::Conflict => StatusCode::CONFLICT,
            ErrorKind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            ErrorKind::UnsupportedMedia => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            ErrorKind::RateLimited => StatusCode::TOO_MANY_REQUESTS,
            ErrorKind::Unimplemented => StatusCode::NOT_IMPLEMENTED,
            ErrorKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            ErrorKind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The body of an error.
    pub fn body(self, failure: &Failure, names: FieldNames) -> Value {
        let status = self.status(failure.error.kind());
        self.body_with(status, failure, names)
    }

    fn body_with(self, status: StatusCode, failure: &Failure, names: FieldNames) -> Value {
        let refusal = Refusal::new(failure, self, names);
        let body = match self {
            Self::Integration | Self::Bare => serde_json::to_value(integration::error(refusal)),
            Self::Application => serde_json::to_value(application::error(status, refusal)),
            Self::System => serde_json::to_value(system::error(refusal)),
            Self::Sendbird => serde_json::to_value(sendbird::error(&refusal)),
            Self::Mudbase => serde_json::to_value(mudbase::error(refusal)),
        };
        // Texts and numbers under fixed names always serialise.
        body.unwrap_or(Value::Null)
    }

    /// The answer to a request that failed. Logs what is our own fault, once.
    pub fn refuse(self, failure: &Failure, names: FieldNames) -> Response {
        let error = &failure.error;
        error.log();
        let mut response =
            (self.status(error.kind()), Json(self.body(failure, names))).into_response();
        if let Some(after) = retry_after(error) {
            let headers = response.headers_mut();
            headers.insert(RETRY_AFTER, HeaderValue::from(after));
        }
        response
    }

    /// The answer to a known path with a method that it has not.
    pub fn refuse_method(self) -> Response {
        let status = StatusCode::METHOD_NOT_ALLOWED;
        let failure = Error::new(Reason::RouteNotFound, "Method not allowed.").into();
        let mut body = self.body_with(status, &failure, &[]);
        if self == Self::Mudbase {
            body["error"] = "Method not allowed".into();
            body["code"] = "METHOD_NOT_ALLOWED".into();
        }
        (status, Json(body)).into_response()
    }
}

/// Whole seconds until a retry makes sense, rounded up, at least one.
pub fn retry_after(error: &Error) -> Option<u64> {
    let delay = match error.kind() {
        ErrorKind::RateLimited | ErrorKind::Unavailable => {
            Some(error.retry_delay().unwrap_or(Duration::ZERO))
        }
        ErrorKind::Invalid
        | ErrorKind::Unauthenticated
        | ErrorKind::MissingPermission
        | ErrorKind::Forbidden
        | ErrorKind::NotFound
        | ErrorKind::Conflict
        | ErrorKind::TooLarge
        | ErrorKind::UnsupportedMedia
        | ErrorKind::Unimplemented
        | ErrorKind::Internal => error.retry_delay(),
    };
    delay.map(whole_seconds).map(|seconds| seconds.max(1))
}

/// A duration in whole seconds, rounded up.
pub fn whole_seconds(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::failure::JsonType;

    fn reasons() -> impl Strategy<Value = Reason> {
        proptest::sample::select(Reason::ALL)
    }

    fn families() -> impl Strategy<Value = Family> {
        proptest::sample::select(Family::ALL)
    }

    proptest! {
        #[test]
        fn every_reason_has_a_status_and_a_body_in_every_family(
            reason in reasons(),
            family in families(),
            message in "\\PC{1,40}",
        ) {
            let failure = Failure::from(Error::new(reason, message.clone()));
            let status = family.status(reason.kind());
            prop_assert!(status.is_client_error() || status.is_server_error());
            let body = family.body(&failure, &[]);
            let shown = match family {
                Family::Integration | Family::Bare => {
                    prop_assert_eq!(&body["status"], "error");
                    &body["message"]
                }
                Family::Application => {
                    prop_assert_eq!(&body["meta"]["status"], "error");
                    prop_assert_eq!(&body["meta"]["statusCode"], status.as_u16());
                    &body["message"]
                }
                Family::System => {
                    prop_assert_eq!(&body["meta"]["success"], false);
                    prop_assert_eq!(&body["body"], &Value::Null);
                    prop_assert_eq!(&body["meta"]["devMessage"], &body["meta"]["message"]);
                    &body["meta"]["message"]
                }
                Family::Sendbird => {
                    prop_assert_eq!(&body["error"], true);
                    let code = body["code"].as_u64().unwrap();
                    prop_assert!((400_100..=500_999).contains(&code));
                    &body["message"]
                }
                Family::Mudbase => {
                    prop_assert!(body["code"].as_str().is_some_and(|code| !code.is_empty()));
                    prop_assert!(body["error"].is_string());
                    // The facade has its own texts beside ours.
                    prop_assert!(body.get("details").is_none_or(|details| *details == message));
                    return Ok(());
                }
            };
            prop_assert_eq!(shown, &message);
        }

        #[test]
        fn a_wait_is_told_in_whole_seconds_and_never_too_short(millis in 0_u64..100_000) {
            let wait = Duration::from_millis(millis);
            let error = Error::new(Reason::RateLimited, "slow down").retry_after(wait);
            let told = retry_after(&error).unwrap();
            prop_assert!(told >= 1 && Duration::from_secs(told) >= wait);
            prop_assert!(told == 1 || Duration::from_secs(told - 1) < wait);
        }
    }

    #[test]
    fn a_missing_permission_is_401_in_e1_and_403_elsewhere() {
        let status = |family: Family| family.status(ErrorKind::MissingPermission).as_u16();
        assert_eq!(status(Family::Integration), 401);
        assert_eq!(status(Family::Bare), 401);
        assert_eq!(status(Family::Application), 403);
        assert_eq!(status(Family::System), 403);
    }

    #[test]
    fn fields_are_named_as_the_caller_knows_them() {
        let names: FieldNames = &[("text", "message")];
        let failure = Failure::from(tonic::Status::from(Error::missing("text")));
        assert_eq!(
            Family::Integration.body(&failure, names),
            serde_json::json!({
                "status": "error",
                "message": "message is required",
                "errors": [{ "field": "message", "message": "message is required" }]
            })
        );
        let own = Failure::from(Error::missing("text"));
        assert_eq!(
            Family::Integration.body(&own, names)["message"],
            "text is required"
        );
    }

    #[test]
    fn sendbird_tells_which_type_was_expected() {
        let failure = Failure::mistyped("user_id", JsonType::String);
        assert_eq!(Family::Sendbird.body(&failure, &[])["code"], 400_100);
        assert_eq!(
            Family::Application.body(&failure, &[])["meta"]["validation"][0]["field"],
            "user_id"
        );
    }
}
