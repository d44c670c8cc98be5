//! What a handler answers when it cannot do as asked.

use axum::response::{IntoResponse, Response};
use guildhall_runtime::Error;
use http::StatusCode;
use tonic::Status;

/// An error on its way to the envelope of its endpoint, which alone knows the form.
#[derive(Debug, Clone)]
pub struct Failure {
    /// What went wrong.
    pub error: Error,
    /// What is wrong with the field in particular, where a facade tells it.
    pub fault: Option<Fault>,
    /// Whose names of fields it uses.
    pub names: Names,
}

/// Whose names of fields a failure uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Names {
    /// Those of the callers: the gateway itself refused.
    OfCallers,
    /// Those of the service that refused.
    OfService,
}

/// What is wrong with a field: finer than the reason INVALID_VALUE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It has another type than this.
    Mistyped(JsonType),
    /// It is a number beyond its bounds.
    OutOfRange,
}

/// What handlers return.
pub type Result<T, E = Failure> = std::result::Result<T, E>;

/// The type that a field was to have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JsonType {
    /// Text.
    String,
    /// A number.
    Number,
    /// A number without a fraction.
    Integer,
    /// A list.
    List,
    /// An object.
    Object,
    /// `true` or `false`.
    Boolean,
}

impl JsonType {
    /// The type's name with its article.
    pub fn name(self) -> &'static str {
        match self {
            Self::String => "a string",
            Self::Number => "a number",
            Self::Integer => "a whole number",
            Self::List => "a list",
            Self::Object => "an object",
            Self::Boolean => "a boolean",
        }
    }
}

impl Failure {
    /// A field of another type than it must have.
    pub fn mistyped(field: &str, expected: JsonType) -> Self {
        let error = Error::invalid(field, format!("{field} must be {}", expected.name()));
        Self {
            error,
            fault: Some(Fault::Mistyped(expected)),
            names: Names::OfCallers,
        }
    }

    /// A number beyond its bounds.
    pub fn out_of_range(field: &str, description: String) -> Self {
        Self {
            error: Error::invalid(field, description),
            fault: Some(Fault::OutOfRange),
            names: Names::OfCallers,
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self {
            error,
            fault: None,
            names: Names::OfCallers,
        }
    }
}

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        Self {
            names: Names::OfService,
            ..Self::from(Error::from(status))
        }
    }
}

impl IntoResponse for Failure {
    /// A response that carries the failure to the endpoint's envelope.
    fn into_response(self) -> Response {
        let mut response = StatusCode::INTERNAL_SERVER_ERROR.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// A part of an answer that a service never leaves out.
pub fn sent<T>(part: Option<T>, what: &'static str) -> Result<T> {
    part.ok_or_else(|| Error::bug(format!("a service left out {what}")).into())
}
