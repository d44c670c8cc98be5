//! What every call of a service carries on from its request.

use std::{net::IpAddr, sync::Arc, time::Duration};

use axum::{
    extract::FromRequestParts,
    response::{IntoResponseParts, ResponseParts},
};
use guildhall_auth::{
    Caller, Credential, caller::IDEMPOTENCY_KEY, peer::CLIENT_ADDRESS, request::IDEMPOTENT_REPLAYED,
};
use guildhall_runtime::{Error, RequestId, request_id};
use guildhall_types::CommunityId;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header::AUTHORIZATION, request::Parts};
use tokio::time::Instant;
use tonic::metadata::MetadataMap;

use crate::{
    envelope::Family,
    failure::{Failure, Result},
};

/// How long a request may take once its body has been read; all its calls share it.
pub const BUDGET: Duration = Duration::from_secs(15);
/// The longest Idempotency-Key (contract: identity, "Extensions common to all routes").
const MAX_IDEMPOTENCY_KEY: usize = 255;

/// A request that was let in, as its handler sees it.
#[derive(Debug, Clone)]
pub struct Call {
    caller: Option<Arc<Caller>>,
    family: Family,
    metadata: MetadataMap,
    deadline: Instant,
}

/// What was found out about a request before it was let in.
pub struct Admitted {
    pub credential: Option<Credential>,
    pub caller: Option<Arc<Caller>>,
    pub address: Option<IpAddr>,
    pub family: Family,
}

impl Call {
    /// A call that begins now.
    ///
    /// # Errors
    /// INVALID_VALUE for an Idempotency-Key that is empty, too long or not printable.
    pub fn new(request: &Parts, admitted: Admitted) -> Result<Self> {
        let mut headers = HeaderMap::new();
        if let Some(credential) = &admitted.credential {
            headers.insert(AUTHORIZATION, credential.to_metadata());
        }
        if let Some(id) = request.extensions.get::<RequestId>() {
            headers.insert(request_id::HEADER, id.to_header());
        }
        if let Some(address) = admitted.address
            && let Ok(value) = HeaderValue::from_str(&address.to_string())
        {
            headers.insert(CLIENT_ADDRESS, value);
        }
        if request.method == Method::POST
            && let Some(key) = request.headers.get(IDEMPOTENCY_KEY)
        {
            headers.insert(IDEMPOTENCY_KEY, idempotency_key(key)?);
        }
        Ok(Self {
            caller: admitted.caller,
            family: admitted.family,
            metadata: MetadataMap::from_headers(headers),
            deadline: Instant::now() + BUDGET,
        })
    }

    /// The request of a service's method, with the caller's credential and what is left of the
    /// time.
    pub fn request<T>(&self, message: T) -> tonic::Request<T> {
        let mut request = tonic::Request::new(message);
        *request.metadata_mut() = self.metadata.clone();
        request.set_timeout(self.deadline.saturating_duration_since(Instant::now()));
        request
    }

    /// The envelope that the request is answered in.
    pub fn family(&self) -> Family {
        self.family
    }

    /// The caller's community.
    ///
    /// # Errors
    /// A bug: the route is open to all and yet asks.
    pub fn community(&self) -> Result<CommunityId> {
        match &self.caller {
            Some(caller) => Ok(caller.community),
            None => Err(Error::bug("a public route asks for the caller's community").into()),
        }
    }
}

fn idempotency_key(value: &HeaderValue) -> Result<HeaderValue> {
    match value.to_str() {
        Ok(key) if !key.is_empty() && key.len() <= MAX_IDEMPOTENCY_KEY => Ok(value.clone()),
        _ => Err(Error::invalid(
            "Idempotency-Key",
            format!("Idempotency-Key must be 1 to {MAX_IDEMPOTENCY_KEY} printable characters"),
        )
        .into()),
    }
}

impl<S: Sync> FromRequestParts<S> for Call {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self> {
        let call = parts.extensions.get::<Self>().cloned();
        call.ok_or_else(|| Error::bug("a handler runs without its endpoint").into())
    }
}

/// Whether a service's answer is the first one again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replayed(bool);

impl Replayed {
    pub fn of<T>(answer: &tonic::Response<T>) -> Self {
        Self(answer.metadata().contains_key(IDEMPOTENT_REPLAYED))
    }
}

impl IntoResponseParts for Replayed {
    type Error = std::convert::Infallible;

    /// `Idempotent-Replayed: true`
    fn into_response_parts(self, mut answer: ResponseParts) -> Result<ResponseParts, Self::Error> {
        if self.0 {
            let name = HeaderName::from_static(IDEMPOTENT_REPLAYED);
            answer
                .headers_mut()
                .insert(name, HeaderValue::from_static("true"));
        }
        Ok(answer)
    }
}
