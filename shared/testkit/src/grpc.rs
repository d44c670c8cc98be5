//! Calls of the services.

use std::task::{Context, Poll, ready};

use http::Response;
use tonic::{
    Request,
    body::Body,
    metadata::MetadataValue,
    transport::{Channel, Error, channel::ResponseFuture},
};
use tower::Service;

use crate::secret;

/// A connection to the services at `url`.
pub async fn connect(url: &str) -> Channel {
    let endpoint = Channel::from_shared(url.to_owned()).expect("an address");
    endpoint.connect().await.expect("a connection")
}

/// A request with `authorization: <credential>`, e.g. `Bearer …` or `SystemKey …`.
pub fn signed<T>(message: T, credential: &str) -> Request<T> {
    secret::learn_credential(credential);
    let mut request = Request::new(message);
    let value = MetadataValue::try_from(credential).expect("a printable credential");
    request.metadata_mut().insert("authorization", value);
    request
}

/// Connections to all services: a call goes to the one that serves it.
#[derive(Debug, Clone)]
pub struct Services {
    /// Who serves `guildhall.identity.…`.
    pub identity: Channel,
    /// Who serves `guildhall.webhooks.…`.
    pub webhooks: Channel,
    /// Who serves all else.
    pub messaging: Channel,
}

impl Services {
    /// All services in one place.
    #[must_use]
    pub fn at(place: Channel) -> Self {
        Self {
            identity: place.clone(),
            webhooks: place.clone(),
            messaging: place,
        }
    }

    /// Who serves the gRPC service of this full name.
    #[must_use]
    pub fn of(&self, service: &str) -> Channel {
        if service.starts_with("guildhall.identity.") {
            self.identity.clone()
        } else if service.starts_with("guildhall.webhooks.") {
            self.webhooks.clone()
        } else {
            self.messaging.clone()
        }
    }
}

impl Service<http::Request<Body>> for Services {
    type Response = Response<Body>;
    type Error = Error;
    type Future = ResponseFuture;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        // The request is not known yet: each must be able to take it.
        ready!(self.identity.poll_ready(context))?;
        ready!(self.webhooks.poll_ready(context))?;
        self.messaging.poll_ready(context)
    }

    fn call(&mut self, request: http::Request<Body>) -> ResponseFuture {
        if request.uri().path().starts_with("/guildhall.identity.") {
            self.identity.call(request)
        } else if request.uri().path().starts_with("/guildhall.webhooks.") {
            self.webhooks.call(request)
        } else {
            self.messaging.call(request)
        }
    }
}
