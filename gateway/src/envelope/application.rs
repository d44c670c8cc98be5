//! E2, "application".

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::StatusCode;
use serde::Serialize;
use utoipa::{
    ToSchema,
    openapi::{RefOr, Schema, schema::ArrayBuilder},
};

use super::{FieldError, Refusal, page::Paging};
use crate::{
    document::{Body, Schemas, named, object},
    schema::text,
};

/// A success. It is answered with the status that it names.
#[derive(Debug, Serialize)]
pub struct Application<T> {
    meta: ApplicationMeta,
    message: String,
    data: T,
}

impl<T: Serialize> IntoResponse for Application<T> {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.meta.status_code).unwrap_or_default();
        (status, Json(self)).into_response()
    }
}

impl<T: Body> Body for Application<T> {
    fn component() -> String {
        format!("Application_{}", T::component())
    }

    fn describe(schemas: &mut Schemas) -> RefOr<Schema> {
        let data = T::describe(schemas);
        let meta = ApplicationMeta::describe(schemas);
        let schema = object([("meta", meta), ("message", text()), ("data", data)]);
        named(schemas, Self::component(), schema)
    }
}

/// How it went.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApplicationMeta {
    #[schema(value_type = String, example = "success")]
    status: &'static str,
    #[schema(example = 200)]
    status_code: u16,
    /// What is wrong with which field.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    validation: Vec<FieldError>,
}

impl<T> Application<T> {
    pub fn new(message: impl Into<String>, data: T) -> Self {
        Self::with_status(StatusCode::OK, message, data)
    }

    /// A resource; `name` is what one is called, as in "outgoing webhook".
    pub fn read(name: &str, data: T) -> Self {
        Self::new(format!("Read {name} success."), data)
    }

    /// A resource that was made.
    pub fn created(name: &str, data: T) -> Self {
        Self::with_status(StatusCode::CREATED, format!("Create {name} success."), data)
    }

    /// A resource that was changed.
    pub fn updated(name: &str, data: T) -> Self {
        Self::new(format!("Update {name} success."), data)
    }

    /// What is left of a resource that was deleted.
    pub fn deleted(name: &str, data: T) -> Self {
        Self::new(format!("Delete {name} success."), data)
    }

    /// Something will be done.
    pub fn accepted(message: &str, data: T) -> Self {
        Self::with_status(StatusCode::ACCEPTED, message, data)
    }

    fn with_status(status: StatusCode, message: impl Into<String>, data: T) -> Self {
        Self {
            meta: ApplicationMeta {
                status: "success",
                status_code: status.as_u16(),
                validation: Vec::new(),
            },
            message: message.into(),
            data,
        }
    }
}

/// A page of a list.
#[derive(Debug, Serialize)]
pub struct ApplicationPage<T> {
    meta: PageMeta,
    message: String,
    data: Vec<T>,
}

impl<T: Serialize> IntoResponse for ApplicationPage<T> {
    fn into_response(self) -> Response {
        Json(self).into_response()
    }
}

impl<T: Body> Body for ApplicationPage<T> {
    fn component() -> String {
        format!("ApplicationPage_{}", T::component())
    }

    fn describe(schemas: &mut Schemas) -> RefOr<Schema> {
        let data = T::describe(schemas);
        let meta = PageMeta::describe(schemas);
        let list = ArrayBuilder::new().items(data).into();
        let schema = object([("meta", meta), ("message", text()), ("data", list)]);
        named(schemas, Self::component(), schema)
    }
}

/// How it went, and where the page is.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PageMeta {
    #[schema(value_type = String, example = "success")]
    status: &'static str,
    #[schema(example = 200)]
    status_code: u16,
    #[serde(flatten)]
    paging: Paging,
}

impl<T> ApplicationPage<T> {
    /// Resources; `names` is what several are called, as in "outgoing webhooks".
    pub fn read(names: &str, paging: Paging, data: impl IntoIterator<Item = T>) -> Self {
        Self {
            meta: PageMeta {
                status: "success",
                status_code: StatusCode::OK.as_u16(),
                paging,
            },
            message: format!("Read {names} success."),
            data: data.into_iter().collect(),
        }
    }
}

/// An error.
#[derive(Debug, Serialize, ToSchema)]
pub struct ApplicationError {
    meta: ApplicationMeta,
    message: String,
}

pub fn error(status: StatusCode, refusal: Refusal<'_>) -> ApplicationError {
    ApplicationError {
        meta: ApplicationMeta {
            status: "error",
            status_code: status.as_u16(),
            validation: refusal.fields,
        },
        message: refusal.message,
    }
}
