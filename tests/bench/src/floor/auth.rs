//! One service twice in one process: behind everything that a call passes, and without the access
//! layer.

use std::{convert::Infallible, net::Ipv4Addr, sync::Arc};

use async_trait::async_trait;
use axum::http::{Request, Response};
use guildhall_auth::{
    AccessLayer, Guard, PeerTokens, RateLimit, RpcTable, source::CredentialSource,
};
use guildhall_proto::{
    access::v1::CredentialKind,
    identity::v1::{
        ResolveKeyResponse, ResolveSessionResponse, SigningKey,
        api_key_service_server::ApiKeyServiceServer,
    },
};
use guildhall_runtime::{
    Shutdown,
    around::around,
    deadline::DeadlineLayer,
    serve::{self, Serving},
    trace::TraceLayer,
};
use guildhall_signals::Signals;
use hyper::body::Incoming;
use tokio::net::TcpListener;
use tonic::{body::Body, service::Routes};
use tower::{Service, ServiceBuilder, ServiceExt};

use super::hop::Standing;
use crate::{Result, child};

/// The method that is called.
pub const METHOD: &str = "/guildhall.identity.v1.ApiKeyService/GetCurrentApiKey";

/// The only key there is.
pub const KEY: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// Serves both, until standard input ends.
///
/// # Errors
/// When it cannot listen.
pub async fn serve() -> Result<()> {
    let guard = Guard::new(
        Arc::new(OneKey),
        RateLimit::per_second(0),
        &Signals::default(),
    );
    let access = AccessLayer::new(guard, RpcTable::load()?, PeerTokens::new(b"a secret"));
    let with = guildhall_server::stack(routes(), access);
    // As `stack`, but for the access layer.
    let without = ServiceBuilder::new()
        .layer(around(TraceLayer::new(|_| false)))
        .layer(around(DeadlineLayer))
        .service(routes().prepare());
    let with = listen(with).await?;
    let without = listen(without).await?;
    child::ready(&[("with", with), ("without", without)]);
    child::until_told(std::future::pending::<Result<()>>()).await
}

fn routes() -> Routes {
    Routes::new(ApiKeyServiceServer::new(Standing::default()))
}

/// Serves as our processes do; where.
async fn listen<S>(service: S) -> Result<String>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>
        + Clone
        + Send
        + Sync
        + 'static,
    S::Future: Send + 'static,
{
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    let service = service.map_request(|request: Request<Incoming>| request.map(Body::new));
    let shutdown = Shutdown::default();
    tokio::spawn(serve::http(listener, service, Serving::default(), shutdown));
    Ok(format!("http://{address}"))
}

/// Knows one key. The guard asks once a second, the cache answers all other calls.
struct OneKey;

#[async_trait]
impl CredentialSource for OneKey {
    async fn key(&self, _: [u8; 32]) -> guildhall_runtime::Result<Option<ResolveKeyResponse>> {
        let id = "c".repeat(24);
        Ok(Some(ResolveKeyResponse {
            key_id: id.clone(),
            kind: CredentialKind::CommunityKey.into(),
            community_id: id.clone(),
            user_id: id,
            ..ResolveKeyResponse::default()
        }))
    }

    async fn session(
        &self,
        _: guildhall_data::CommunityId,
        _: guildhall_data::UserId,
    ) -> guildhall_runtime::Result<Option<ResolveSessionResponse>> {
        Ok(None)
    }

    async fn signing_keys(&self) -> guildhall_runtime::Result<Vec<SigningKey>> {
        Ok(Vec::new())
    }
}
