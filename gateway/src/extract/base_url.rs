//! The address that answers begin urls with.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use http::request::Parts;

use crate::{public_url::PublicUrl, upstream::Services};

/// The configured public address, else the host that the request asked for.
#[derive(Debug)]
pub struct BaseUrl(pub PublicUrl);

impl FromRequestParts<Services> for BaseUrl {
    type Rejection = Infallible;

    async fn from_request_parts(
        parts: &mut Parts,
        services: &Services,
    ) -> Result<Self, Infallible> {
        let configured = services.public_url().cloned();
        Ok(Self(
            configured.unwrap_or_else(|| PublicUrl::asked_for(parts)),
        ))
    }
}
