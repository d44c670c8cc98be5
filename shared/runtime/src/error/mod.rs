//! The one error type.
//!
//! A [`Reason`] says what went wrong; its [`ErrorKind`] decides the gRPC code here and the HTTP
//! status in the gateway, both by exhaustive matches. Internals stay in `source`: they are logged
//! once, where the error becomes a [`Status`], and never answered.

mod reason;

use std::{borrow::Cow, fmt, sync::Arc, time::Duration};

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt};

pub use reason::{ErrorKind, Reason};

/// `domain` of our `google.rpc.ErrorInfo`.
const DOMAIN: &str = "guildhall";

/// What a fallible function of Guildhall returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What is wrong with one field of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The path of the field in the request, as its proto names it.
    pub field: String,
    /// What is wrong with it and what to do.
    pub description: String,
}

/// An error with everything that a caller may know, and a source that only the log sees.
#[derive(Clone)]
pub struct Error {
    reason: Reason,
    message: Cow<'static, str>,
    violations: Vec<Violation>,
    retry_after: Option<Duration>,
    source: Option<Arc<dyn std::error::Error + Send + Sync>>,
    /// It was logged already, in this process or another one, or needs no log line.
    is_logged: bool,
}

impl Error {
    /// An error that says `message` to the caller.
    pub fn new(reason: Reason, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            reason,
            message: message.into(),
            violations: Vec::new(),
            retry_after: None,
            source: None,
            is_logged: false,
        }
    }

    /// A field with a value that it cannot have.
    pub fn invalid(field: impl Into<String>, description: impl Into<String>) -> Self {
        Self::violation(Reason::InvalidValue, field, description)
    }

    /// A required field that is absent or empty.
    pub fn missing(field: impl Into<String>) -> Self {
        let field = field.into();
        let description = format!("{field} is required");
        Self::violation(Reason::MissingField, field, description)
    }

    /// A bad field, for `reason`. The description becomes the message, too.
    pub fn violation(
        reason: Reason,
        field: impl Into<String>,
        description: impl Into<String>,
    ) -> Self {
        let description = description.into();
        let mut error = Self::new(reason, description.clone());
        error.violations.push(Violation {
            field: field.into(),
            description,
        });
        error
    }

    /// A failure of ours: `source` is logged, and the caller does not see it.
    pub fn internal(source: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::new(Reason::Internal, "Internal server error").caused_by(source)
    }

    /// A bug of ours that we noticed: `what` is logged, and the caller does not see it.
    pub fn bug(what: impl Into<String>) -> Self {
        Self::internal(Bug(what.into()))
    }

    /// Something that will work later; the caller is told to try again after `retry_after`.
    pub fn unavailable(reason: Reason, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(reason, message).retry_after(Duration::from_secs(1))
    }

    /// Keeps `source` for the log.
    #[must_use]
    pub fn caused_by(mut self, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        self.source = Some(Arc::new(source));
        self
    }

    /// Tells the caller when to try again.
    #[must_use]
    pub fn retry_after(mut self, after: Duration) -> Self {
        self.retry_after = Some(after);
        self
    }

    /// What went wrong.
    #[must_use]
    pub fn reason(&self) -> Reason {
        self.reason
    }

    /// What the caller has to do about it.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.reason.kind()
    }

    /// What the caller is told.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What is wrong with which field.
    #[must_use]
    pub fn violations(&self) -> &[Violation] {
        &self.violations
    }

    /// When to try again.
    #[must_use]
    pub fn retry_delay(&self) -> Option<Duration> {
        self.retry_after
    }

    /// The error and its causes in one line, for an operator's terminal; never for a caller.
    #[must_use]
    pub fn with_causes(&self) -> String {
        match &self.source {
            Some(source) if self.kind() == ErrorKind::Internal => chain(source.as_ref()),
            Some(source) => format!("{}: {}", self.message, chain(source.as_ref())),
            None => self.message.to_string(),
        }
    }

    /// The same error, not to be logged.
    #[must_use]
    pub fn not_to_be_logged(mut self) -> Self {
        self.is_logged = true;
        self
    }

    /// The same error for another request, for which it was not logged yet.
    #[must_use]
    pub fn for_another_request(mut self) -> Self {
        self.is_logged = false;
        self
    }

    /// Logs that a request failed through no fault of its caller: once, where it is answered, in the
    /// process where the error arose.
    pub fn log(&self) {
        let reason = self.reason.as_str();
        match self.kind() {
            ErrorKind::Internal | ErrorKind::Unavailable if self.is_logged => {}
            ErrorKind::Internal => {
                tracing::error!(reason, error = %self.with_causes(), "request failed");
            }
            ErrorKind::Unavailable => {
                tracing::warn!(reason, error = %self.with_causes(), "request failed");
            }
            ErrorKind::Invalid
            | ErrorKind::Unauthenticated
            | ErrorKind::MissingPermission
            | ErrorKind::Forbidden
            | ErrorKind::NotFound
            | ErrorKind::Conflict
            | ErrorKind::TooLarge
            | ErrorKind::UnsupportedMedia
            | ErrorKind::RateLimited
            | ErrorKind::Unimplemented => {
                tracing::debug!(reason, error = %self.with_causes(), "request refused");
            }
        }
    }
}

/// An error and its causes in one line.
pub(crate) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut line = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        line.push_str(": ");
        line.push_str(&cause.to_string());
        next = cause.source();
    }
    line
}

#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Bug(String);

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.reason.as_str(), self.message)?;
        match &self.source {
            Some(source) => write!(f, " ({})", chain(source.as_ref())),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        let source = self.source.as_ref()?;
        Some(&**source)
    }
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        error.log();
        let mut details = ErrorDetails::new();
        details.set_error_info(
            error.reason.as_str(),
            DOMAIN,
            std::collections::HashMap::new(),
        );
        if !error.violations.is_empty() {
            let violations = error.violations.iter();
            details.set_bad_request(
                violations
                    .map(|v| FieldViolation::new(&v.field, &v.description))
                    .collect::<Vec<_>>(),
            );
        }
        if let Some(after) = error.retry_after {
            details.set_retry_info(Some(after));
        }
        let code = if error.reason == Reason::DeadlineExceeded {
            Code::DeadlineExceeded
        } else {
            error.kind().grpc_code()
        };
        Self::with_error_details(code, error.message, details)
    }
}

impl From<Status> for Error {
    /// Restores the error that a service answered. A status of others becomes the closest reason.
    fn from(status: Status) -> Self {
        let details = status.get_error_details();
        let reason = details
            .error_info()
            .filter(|info| info.domain == DOMAIN)
            .and_then(|info| Reason::from_name(&info.reason));
        let Some(reason) = reason else {
            return Self::from_foreign(&status);
        };
        let violations = details.bad_request().map(|bad| &bad.field_violations[..]);
        Self {
            reason,
            message: status.message().to_owned().into(),
            violations: violations
                .unwrap_or_default()
                .iter()
                .map(|v| Violation {
                    field: v.field.clone(),
                    description: v.description.clone(),
                })
                .collect(),
            retry_after: details.retry_info().and_then(|info| info.retry_delay),
            source: None,
            is_logged: true,
        }
    }
}

impl Error {
    /// A status without our details: from the transport, or from tonic itself.
    fn from_foreign(status: &Status) -> Self {
        match status.code() {
            Code::Unavailable | Code::Cancelled | Code::DeadlineExceeded | Code::Unknown => {
                Self::unavailable(Reason::Unreachable, "The service is unavailable, try again")
                    .caused_by(status.clone())
            }
            Code::Unimplemented => Self::new(Reason::NotImplemented, "Not implemented"),
            Code::OutOfRange | Code::InvalidArgument => {
                Self::new(Reason::InvalidValue, "The request is invalid").caused_by(status.clone())
            }
            Code::Ok
            | Code::NotFound
            | Code::AlreadyExists
            | Code::PermissionDenied
            | Code::ResourceExhausted
            | Code::FailedPrecondition
            | Code::Aborted
            | Code::Internal
            | Code::DataLoss
            | Code::Unauthenticated => Self::internal(status.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_survives_the_way_over_grpc() {
        for &reason in Reason::ALL {
            let error = Error::new(reason, "what to do").retry_after(Duration::from_secs(2));
            let back = Error::from(Status::from(error));
            assert_eq!(back.reason(), reason);
            assert_eq!(back.message(), "what to do");
            assert_eq!(back.retry_delay(), Some(Duration::from_secs(2)));
        }
    }

    #[test]
    fn violations_survive_and_sources_do_not() {
        let error = Error::missing("channel_id").caused_by(Bug("secret".into()));
        let status = Status::from(error);
        assert!(!format!("{status:?}").contains("secret"));
        let back = Error::from(status);
        assert_eq!(back.violations()[0].field, "channel_id");
    }
}
