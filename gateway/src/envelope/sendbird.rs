//! Errors of the Sendbird facade: the code tells, the status hardly (contract: sendbird, "Errors").

use guildhall_runtime::{ErrorKind, Reason};
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::Refusal;
use crate::failure::{Fault, JsonType};

/// An error.
#[derive(Debug, Serialize, ToSchema)]
pub struct SendbirdError {
    /// Always true.
    #[schema(example = true)]
    error: bool,
    /// The public error code.
    #[schema(example = 400_105)]
    code: u32,
    message: String,
}

pub fn error(refusal: &Refusal<'_>) -> SendbirdError {
    let code = match refusal.failure.fault {
        Some(Fault::Mistyped(expected)) => mistyped(expected),
        Some(Fault::OutOfRange) => 400_113,
        None => code(refusal.reason()),
    };
    SendbirdError {
        error: true,
        code,
        message: refusal.message.clone(),
    }
}

/// HTTP 400 for whatever the caller can mend.
pub fn status(kind: ErrorKind) -> StatusCode {
    match kind {
        ErrorKind::Invalid
        | ErrorKind::Unauthenticated
        | ErrorKind::MissingPermission
        | ErrorKind::Forbidden
        | ErrorKind::NotFound
        | ErrorKind::Conflict
        | ErrorKind::TooLarge
        | ErrorKind::UnsupportedMedia => StatusCode::BAD_REQUEST,
        ErrorKind::RateLimited => StatusCode::TOO_MANY_REQUESTS,
        ErrorKind::Unimplemented => StatusCode::NOT_IMPLEMENTED,
        ErrorKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        ErrorKind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

fn mistyped(expected: JsonType) -> u32 {
    match expected {
        JsonType::String => 400_100,
        JsonType::Number | JsonType::Integer => 400_101,
        JsonType::List => 400_102,
        JsonType::Object => 400_103,
        JsonType::Boolean => 400_104,
    }
}

fn code(reason: Reason) -> u32 {
    match reason {
        Reason::MissingField => 400_105,
        Reason::PermissionMissing
        | Reason::RoleMissing
        | Reason::InternalOnly
        | Reason::ChannelNotAllowed => 400_108,
        Reason::ValueTooLong | Reason::BodyTooLarge => 400_110,
        Reason::InvalidValue | Reason::MalformedId => 400_111,
        Reason::CredentialsConflict | Reason::IdempotencyMismatch | Reason::IdempotencyInFlight => {
            400_112
        }
        Reason::CommunityNotFound
        | Reason::KeyNotFound
        | Reason::ChannelNotFound
        | Reason::TopicNotFound
        | Reason::WebhookNotFound
        | Reason::WorkflowNotFound
        | Reason::DeliveryNotFound
        | Reason::MessageNotFound => 400_201,
        Reason::AlreadyExists => 400_202,
        Reason::TooManyReactions => 400_203,
        Reason::AccountUnavailable => 400_300,
        Reason::UserNotFound => 400_301,
        Reason::LoginRefused => 400_302,
        Reason::CredentialMissing | Reason::CredentialInvalid => 400_401,
        Reason::MalformedBody | Reason::UnsupportedMediaType => 400_403,
        Reason::SenderNotAllowed => 400_700,
        Reason::ChannelFrozen | Reason::TopicClosed | Reason::WrongState => 400_920,
        Reason::RouteNotFound | Reason::NotImplemented => 400_930,
        Reason::Overloaded
        | Reason::Unreachable
        | Reason::DeadlineExceeded
        | Reason::OutcomeUnknown
        | Reason::Internal => 500_901,
        Reason::RateLimited | Reason::LoginAttempts => 500_910,
    }
}
