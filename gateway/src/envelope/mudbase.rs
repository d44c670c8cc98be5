//! The Mudbase facade (contract: mudbase, "Envelope and errors").

use std::collections::BTreeMap;

use guildhall_runtime::ErrorKind;
use serde::Serialize;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{RefOr, Schema},
};

use super::Refusal;
use crate::document::{Body, Schemas, named, object};

/// A success.
#[derive(Debug, Serialize)]
pub struct Mudbase<T> {
    /// Always true.
    success: bool,
    data: T,
}

impl<T: Body> Body for Mudbase<T> {
    fn component() -> String {
        format!("Mudbase_{}", T::component())
    }

    fn describe(schemas: &mut Schemas) -> RefOr<Schema> {
        let data = T::describe(schemas);
        let schema = object([("success", bool::schema()), ("data", data)]);
        named(schemas, Self::component(), schema)
    }
}

impl<T> Mudbase<T> {
    pub fn new(data: T) -> Self {
        Self {
            success: true,
            data,
        }
    }
}

/// An error.
#[derive(Debug, Serialize, ToSchema)]
pub struct MudbaseError {
    #[schema(value_type = String, example = "Validation failed")]
    error: &'static str,
    #[schema(value_type = String, example = "VALIDATION_ERROR")]
    code: &'static str,
    details: MudbaseDetails,
}

/// What went wrong in particular.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum MudbaseDetails {
    /// What is wrong, by field.
    Fields(BTreeMap<String, String>),
    /// One sentence.
    Text(String),
}

pub fn error(refusal: Refusal<'_>) -> MudbaseError {
    let (error, code) = match refusal.kind() {
        ErrorKind::Invalid => ("Validation failed", "VALIDATION_ERROR"),
        ErrorKind::Unauthenticated => ("Authentication required", "UNAUTHORIZED"),
        ErrorKind::MissingPermission | ErrorKind::Forbidden => ("Access denied", "FORBIDDEN"),
        ErrorKind::NotFound => ("Resource not found", "NOT_FOUND"),
        ErrorKind::Conflict => ("Conflict", "CONFLICT"),
        ErrorKind::TooLarge => ("Payload too large", "PAYLOAD_TOO_LARGE"),
        ErrorKind::UnsupportedMedia => ("Unsupported media type", "UNSUPPORTED_MEDIA_TYPE"),
        ErrorKind::RateLimited => ("Too many requests", "RATE_LIMITED"),
        ErrorKind::Unimplemented => ("Not implemented", "NOT_IMPLEMENTED"),
        ErrorKind::Unavailable => ("Service unavailable", "UNAVAILABLE"),
        ErrorKind::Internal => ("Internal server error", "INTERNAL_ERROR"),
    };
    MudbaseError {
        error,
        code,
        details: details(refusal),
    }
}

fn details(refusal: Refusal<'_>) -> MudbaseDetails {
    if refusal.fields.is_empty() {
        return MudbaseDetails::Text(refusal.message);
    }
    let fields = refusal.fields.into_iter();
    MudbaseDetails::Fields(fields.map(|error| (error.field, error.message)).collect())
}
