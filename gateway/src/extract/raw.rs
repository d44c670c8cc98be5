//! Bodies that are passed on as they came.

use std::marker::PhantomData;

use axum::{
    body::{Body, to_bytes},
    extract::{FromRequest, Request},
};
use bytes::Bytes;
use guildhall_runtime::Error;

use crate::{
    body::LIMIT,
    failure::{Failure, Result},
};

/// The body, unread: the service behind the endpoint reads it into a `T`.
#[derive(Debug)]
pub struct Raw<T>(pub Bytes, pub PhantomData<T>);

impl<S: Sync, T> FromRequest<S> for Raw<T> {
    type Rejection = Failure;

    async fn from_request(request: Request<Body>, _state: &S) -> Result<Self> {
        // The endpoint has read and measured the body before it called us.
        let body = to_bytes(request.into_body(), LIMIT).await;
        Ok(Self(body.map_err(Error::internal)?, PhantomData))
    }
}
