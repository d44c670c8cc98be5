//! Calls of the services.

use std::{
    net::IpAddr,
    task::{Context, Poll, ready},
};

use futures::future;
use guildhall_catalog::{self as catalog, MESSAGING, SERVICES};
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

/// A connection to the services at `url` from an address of this machine.
pub async fn connect_from(url: &str, address: IpAddr) -> Channel {
    let endpoint = Channel::from_shared(url.to_owned()).expect("an address");
    let endpoint = endpoint.local_address(Some(address));
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

/// Connections to all services of the catalogue: a call goes to the one that serves it.
#[derive(Debug, Clone)]
pub struct Services(Vec<(&'static catalog::Service, Channel)>);

impl Services {
    /// Connections to all services, each where `url` says.
    pub async fn connect(url: impl Fn(&catalog::Service) -> String) -> Self {
        let url = &url;
        let connections = SERVICES
            .iter()
            .map(|service| async move { (*service, connect(&url(service)).await) });
        Self(future::join_all(connections).await)
    }

    /// All services in one place.
    #[must_use]
    pub fn at(place: &Channel) -> Self {
        let services = SERVICES.iter();
        Self(services.map(|service| (*service, place.clone())).collect())
    }

    /// Who serves the gRPC service of this full name; messaging, when that is none of ours.
    #[must_use]
    pub fn of(&self, name: &str) -> Channel {
        self.0[self.index(name)].1.clone()
    }

    fn index(&self, name: &str) -> usize {
        let area = name.strip_prefix("guildhall.").unwrap_or_default();
        let area = area.split('.').next().unwrap_or_default();
        let position = |wanted: &str| {
            let mut services = self.0.iter();
            services.position(|(service, _)| service.name == wanted)
        };
        let found = position(area).or_else(|| position(MESSAGING.name));
        found.expect("messaging")
    }
}

impl Service<http::Request<Body>> for Services {
    type Response = Response<Body>;
    type Error = Error;
    type Future = ResponseFuture;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        // The request is not known yet: each must be able to take it.
        for (_, channel) in &mut self.0 {
            ready!(channel.poll_ready(context))?;
        }
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> ResponseFuture {
        // Of the path `/guildhall.identity.v1.ApiKeyService/CreateApiKey`.
        let index = self.index(request.uri().path().trim_start_matches('/'));
        self.0[index].1.call(request)
    }
}
