//! Parameters of the path.

use axum::extract::{FromRequestParts, Path};
use guildhall_runtime::{Error, Reason};
use http::request::Parts;
use serde::de::DeserializeOwned;

use crate::failure::{Failure, Result};

/// The path's parameters, percent-decoded.
#[derive(Debug)]
pub struct Segments<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Segments<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        let path = Path::<T>::from_request_parts(parts, state).await;
        path.map(|Path(segments)| Self(segments)).map_err(|_| {
            Error::new(
                Reason::MalformedId,
                "The path is not valid UTF-8 when decoded",
            )
            .into()
        })
    }
}
