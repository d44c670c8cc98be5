//! The bare hop: JSON over HTTP to one process, protobuf over gRPC to the next, and nothing else.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{Json, Router, extract::State, http::StatusCode, routing::get, serve::ListenerExt};
use guildhall_proto::{
    access::v1::CredentialKind,
    identity::v1::{
        ApiKey, CreateCommunityApiKeyRequest, CreateCommunityApiKeyResponse,
        CreateUserApiKeyRequest, CreateUserApiKeyResponse, DeleteApiKeyRequest,
        DeleteApiKeyResponse, GetCurrentApiKeyRequest, GetCurrentApiKeyResponse,
        api_key_service_client::ApiKeyServiceClient,
        api_key_service_server::{ApiKeyService, ApiKeyServiceServer},
    },
};
use serde::Serialize;
use tokio::net::TcpListener;
use tonic::{
    Request, Response, Status,
    transport::{Channel, Endpoint, Server, server::TcpIncoming},
};

use crate::{Result, child};

/// Connections between the two, as many as ours has to a service with one replica.
const CONNECTIONS: usize = 4;

/// Where the gateway answers.
pub const PATH: &str = "/v1/users/apikeys/info";

/// A service that answers the same key to everybody, from memory.
#[derive(Debug, Clone)]
pub struct Standing(ApiKey);

impl Default for Standing {
    fn default() -> Self {
        let permissions = [
            "sendMessage",
            "replyMessage",
            "getMessages",
            "getChannels",
            "manageChannels",
            "addReaction",
        ];
        let key = ApiKey {
            id: "d".repeat(24),
            name: "Demo".to_owned(),
            community_id: "c".repeat(24),
            permissions: permissions.map(str::to_owned).into(),
            active: true,
            create_time: Some(prost_types::Timestamp {
                seconds: 1_767_225_600,
                nanos: 0,
            }),
            masked_key: "abcd…wxyz".to_owned(),
            ..ApiKey::default()
        };
        Self(ApiKey {
            kind: CredentialKind::CommunityKey.into(),
            ..key
        })
    }
}

#[tonic::async_trait]
impl ApiKeyService for Standing {
    async fn get_current_api_key(
        &self,
        _: Request<GetCurrentApiKeyRequest>,
    ) -> Result<Response<GetCurrentApiKeyResponse>, Status> {
        Ok(Response::new(GetCurrentApiKeyResponse {
            api_key: Some(self.0.clone()),
        }))
    }

    async fn create_community_api_key(
        &self,
        _: Request<CreateCommunityApiKeyRequest>,
    ) -> Result<Response<CreateCommunityApiKeyResponse>, Status> {
        Err(Status::unimplemented("never called"))
    }

    async fn create_user_api_key(
        &self,
        _: Request<CreateUserApiKeyRequest>,
    ) -> Result<Response<CreateUserApiKeyResponse>, Status> {
        Err(Status::unimplemented("never called"))
    }

    async fn delete_api_key(
        &self,
        _: Request<DeleteApiKeyRequest>,
    ) -> Result<Response<DeleteApiKeyResponse>, Status> {
        Err(Status::unimplemented("never called"))
    }
}

/// Serves the service alone, until standard input ends.
///
/// # Errors
/// When it cannot listen.
pub async fn service() -> Result<()> {
    let incoming = TcpIncoming::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
    let incoming = incoming.with_nodelay(Some(true));
    child::ready(&[("grpc", format!("http://{}", incoming.local_addr()?))]);
    let service = ApiKeyServiceServer::new(Standing::default());
    let serving = Server::builder().add_service(service);
    let serving = serving.serve_with_incoming(incoming);
    child::until_told(serving).await?;
    Ok(())
}

/// Serves JSON before the service at `upstream`, until standard input ends.
///
/// # Errors
/// When it cannot listen or connect.
pub async fn gateway(upstream: &str) -> Result<()> {
    let mut lines = Vec::new();
    for _ in 0..CONNECTIONS {
        let channel = Endpoint::from_shared(upstream.to_owned())?
            .connect()
            .await?;
        lines.push(ApiKeyServiceClient::new(channel));
    }
    let lines = Lines(Arc::new((lines, AtomicUsize::new(0))));
    let app = Router::new().route(PATH, get(info)).with_state(lines);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    child::ready(&[("http", format!("http://{}", listener.local_addr()?))]);
    let listener = listener.tap_io(|stream| {
        // It only costs time where it fails.
        let _ = stream.set_nodelay(true);
    });
    child::until_told(async { axum::serve(listener, app).await }).await?;
    Ok(())
}

/// The connections to the service, taken in turn.
#[derive(Clone)]
struct Lines(Arc<(Vec<ApiKeyServiceClient<Channel>>, AtomicUsize)>);

async fn info(State(lines): State<Lines>) -> Result<Json<Answer>, StatusCode> {
    let (lines, turn) = &*lines.0;
    let turn = turn.fetch_add(1, Ordering::Relaxed) % CONNECTIONS;
    let mut line = lines.get(turn).cloned().ok_or(StatusCode::BAD_GATEWAY)?;
    let answer = line.get_current_api_key(GetCurrentApiKeyRequest {}).await;
    let key = answer.ok().and_then(|answer| answer.into_inner().api_key);
    Ok(Json(key.ok_or(StatusCode::BAD_GATEWAY)?.into()))
}

/// The answer of `apikeys-info`, field by field.
#[derive(Debug, Serialize)]
struct Answer {
    meta: Meta,
    message: &'static str,
    data: Data,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Meta {
    status: &'static str,
    status_code: u16,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Data {
    #[serde(rename = "_id")]
    id: String,
    name: String,
    #[serde(rename = "type")]
    kind: &'static str,
    community_id: String,
    user_id: Option<String>,
    permissions: Vec<String>,
    expire_period: i32,
    expire_date: Option<String>,
    is_active: bool,
    created_at: &'static str,
}

impl From<ApiKey> for Answer {
    fn from(key: ApiKey) -> Self {
        let data = Data {
            id: key.id,
            name: key.name,
            kind: "community",
            community_id: key.community_id,
            user_id: Some(key.user_id).filter(|id| !id.is_empty()),
            permissions: key.permissions,
            expire_period: key.expire_period_days,
            expire_date: None,
            is_active: key.active,
            created_at: "2026-01-01T00:00:00.000Z",
        };
        Self {
            meta: Meta {
                status: "success",
                status_code: 200,
            },
            message: "Get API key info success.",
            data,
        }
    }
}
