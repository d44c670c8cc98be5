//! E1, "integration".

use serde::Serialize;
use utoipa::{
    ToSchema,
    openapi::{RefOr, Schema},
};

use super::{FieldError, Refusal};
use crate::{
    document::{Body, Schemas, named, object},
    schema::{one_of, text},
};

/// A success with data.
#[derive(Debug, Serialize)]
pub struct Integration<T> {
    status: &'static str,
    message: &'static str,
    data: T,
}

impl<T: Body> Body for Integration<T> {
    fn component() -> String {
        format!("Integration_{}", T::component())
    }

    fn describe(schemas: &mut Schemas) -> RefOr<Schema> {
        let data = T::describe(schemas);
        let schema = object([
            ("status", one_of(&["success"])),
            ("message", text()),
            ("data", data),
        ]);
        named(schemas, Self::component(), schema)
    }
}

impl<T> Integration<T> {
    pub fn new(message: &'static str, data: T) -> Self {
        Self {
            status: "success",
            message,
            data,
        }
    }
}

/// A success that has nothing to tell but itself.
#[derive(Debug, Serialize, ToSchema)]
pub struct Acknowledgement {
    #[schema(value_type = String, example = "success")]
    status: &'static str,
    #[schema(value_type = String)]
    message: &'static str,
}

impl Acknowledgement {
    pub fn new(message: &'static str) -> Self {
        Self {
            status: "success",
            message,
        }
    }
}

/// An error.
#[derive(Debug, Serialize, ToSchema)]
pub struct IntegrationError {
    #[schema(value_type = String, example = "error")]
    status: &'static str,
    message: String,
    /// What is wrong with which field.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    errors: Vec<FieldError>,
}

pub fn error(refusal: Refusal<'_>) -> IntegrationError {
    IntegrationError {
        status: "error",
        message: refusal.message,
        errors: refusal.fields,
    }
}
