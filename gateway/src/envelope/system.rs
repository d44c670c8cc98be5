//! E3, "system".

use serde::Serialize;
use utoipa::{
    ToSchema,
    openapi::{RefOr, Schema},
};

use super::Refusal;
use crate::document::{Body, Schemas, named, object};

/// A success.
#[derive(Debug, Serialize)]
pub struct System<T> {
    meta: SystemMeta,
    body: T,
}

impl<T: Body> Body for System<T> {
    fn component() -> String {
        format!("System_{}", T::component())
    }

    fn describe(schemas: &mut Schemas) -> RefOr<Schema> {
        let data = T::describe(schemas);
        let schema = object([("meta", SystemMeta::describe(schemas)), ("body", data)]);
        named(schemas, Self::component(), schema)
    }
}

/// How it went.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SystemMeta {
    success: bool,
    message: String,
    /// The same as `message`.
    dev_message: String,
}

impl SystemMeta {
    fn new(success: bool, message: String) -> Self {
        Self {
            success,
            dev_message: message.clone(),
            message,
        }
    }
}

impl<T> System<T> {
    pub fn new(message: &str, body: T) -> Self {
        Self {
            meta: SystemMeta::new(true, message.to_owned()),
            body,
        }
    }
}

/// An error.
#[derive(Debug, Serialize, ToSchema)]
pub struct SystemError {
    meta: SystemMeta,
    /// Always null.
    body: Option<()>,
}

pub fn error(refusal: Refusal<'_>) -> SystemError {
    SystemError {
        meta: SystemMeta::new(false, refusal.message),
        body: None,
    }
}
