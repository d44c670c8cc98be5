//! What operators and tools ask of the gateway itself (contract: identity, "gateway-…").

use std::{sync::OnceLock, time::Duration};

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures::future::join_all;
use guildhall_auth::AccessRule;
use guildhall_catalog::Service;
use guildhall_runtime::Peer;
use http::{
    StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE},
};
use serde::Serialize;
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};
use utoipa::ToSchema;
use utoipa_axum::routes;

use crate::{
    endpoint::Endpoint, envelope::Family, failure::Result, openapi::openapi_json,
    upstream::Services,
};

/// How long a service may take to say that it is well.
const PATIENCE: Duration = Duration::from_secs(2);

/// How often a service is asked that says it does not serve.
const TRIES: usize = 4;

pub fn endpoints() -> Vec<Endpoint> {
    let public =
        |id, title, handler| Endpoint::new(id, title, Family::Bare, AccessRule::Public, handler);
    vec![
        public("gateway-health", "Liveness", routes!(health)),
        public("gateway-ready", "Readiness", routes!(ready)),
        public("gateway-openapi", "OpenAPI document", routes!(document)),
    ]
}

/// That the gateway lives.
#[derive(Debug, Serialize, ToSchema)]
struct Health {
    /// `ok`
    #[schema(value_type = String)]
    status: &'static str,
}

/// Whether the gateway lives. Says nothing about the services behind it.
#[utoipa::path(
    get,
    path = "/healthz",
    tag = "Operations",
    responses((status = 200, description = "It lives", body = Health, example = json!({ "status": "ok" })))
)]
async fn health() -> Json<Health> {
    Json(Health { status: "ok" })
}

/// Whether requests should be sent here.
#[derive(Debug, Serialize, ToSchema)]
struct Readiness {
    /// `ready`, `unavailable` or `stopping`.
    #[schema(value_type = String)]
    status: &'static str,
    /// The services that do not serve. Without webhooks everything else works: it is `ready`.
    #[schema(value_type = Vec<String>)]
    down: Vec<&'static str>,
}

/// Whether requests should be sent here: identity and messaging serve, and the process is not
/// stopping.
#[utoipa::path(
    get,
    path = "/readyz",
    tag = "Operations",
    responses(
        (status = 200, description = "Ready", body = Readiness, example = json!({
            "status": "ready", "down": []
        })),
        (status = 503, description = "Not ready", body = Readiness, example = json!({
            "status": "unavailable", "down": ["messaging"]
        })),
    )
)]
async fn ready(State(services): State<Services>) -> (StatusCode, Json<Readiness>) {
    let checks = services.health().map(|(service, client)| async move {
        let serving = tokio::time::timeout(PATIENCE, is_serving(client)).await;
        (!serving.unwrap_or(false)).then_some(service)
    });
    let down: Vec<&Service> = join_all(checks).await.into_iter().flatten().collect();
    let (code, status) = if services.is_stopping() {
        (StatusCode::SERVICE_UNAVAILABLE, "stopping")
    } else if !down.iter().any(|service| service.essential) {
        (StatusCode::OK, "ready")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "unavailable")
    };
    let down = down.iter().map(|service| service.name).collect();
    (code, Json(Readiness { status, down }))
}

/// One replica that is stopping does not make a service that is down: the next call goes to
/// another connection.
async fn is_serving(mut client: HealthClient<Peer>) -> bool {
    for _ in 0..TRIES {
        match client.check(HealthCheckRequest::default()).await {
            Ok(answer) if answer.get_ref().status() == ServingStatus::Serving => return true,
            Ok(_stopping) => {}
            Err(_) => return false,
        }
    }
    false
}

/// This document. Readable without credential; `/docs` shows it.
#[utoipa::path(
    get,
    path = "/openapi.json",
    tag = "Operations",
    responses((status = 200, description = "OpenAPI 3.1", body = serde_json::Value, example = json!({
        "openapi": "3.1.0", "info": { "title": "Guildhall", "version": "0.1.0" }, "paths": {}
    })))
)]
async fn document() -> Result<Response> {
    static DOCUMENT: OnceLock<Bytes> = OnceLock::new();
    let document = match DOCUMENT.get() {
        Some(document) => document.clone(),
        None => {
            let document = Bytes::from(openapi_json()?);
            DOCUMENT.get_or_init(|| document).clone()
        }
    };
    let headers = [
        (CONTENT_TYPE, "application/json"),
        (CACHE_CONTROL, "public, max-age=300"),
    ];
    Ok((headers, document).into_response())
}
