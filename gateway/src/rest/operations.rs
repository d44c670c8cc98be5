//! What operators and tools ask of the gateway itself (contract: identity, "gateway-…").

use std::{
    future,
    sync::{Arc, OnceLock},
    time::Duration,
};

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures::future::join_all;
use guildhall_catalog::Service;
use guildhall_runtime::{Peer, Result as Outcome};
use http::{
    StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE},
};
use serde::Serialize;
use serde_json::json;
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};
use utoipa::ToSchema;

use crate::{document::Media, endpoint::Endpoint, failure::Result, upstream::Services};

/// How long a service may take to say that it is well.
const HEALTH_TIMEOUT: Duration = Duration::from_secs(2);

/// How often a service is asked that says it does not serve.
const TRIES: usize = 4;

/// `openapi` makes the document of all endpoints.
pub fn endpoints(openapi: fn() -> Outcome<String>) -> Vec<Endpoint> {
    let made = Arc::<OnceLock<Bytes>>::default();
    let document = move || future::ready(document(openapi, &made));
    vec![
        Endpoint::new("gateway-health", health, || Health { status: "ok" })
            .about("Whether the gateway is running. Says nothing about the services behind it."),
        Endpoint::new("gateway-ready", ready, || readiness("ready", &[]))
            .about(
                "Whether requests should be sent here: every essential service is reachable, and the \
                 process is not stopping.",
            )
            .answering(
                503,
                "Not ready",
                Media::of_answer(|| readiness("unavailable", &["messaging"])),
            ),
        Endpoint::new("gateway-openapi", document, || {
            json!({ "openapi": "3.1.0", "info": { "title": "Guildhall" }, "paths": {} })
        })
        .about("This document. Readable without credential; `/docs` shows it."),
    ]
}

fn readiness(status: &'static str, down: &[&'static str]) -> Readiness {
    Readiness {
        status,
        down: down.to_vec(),
    }
}

/// That the gateway lives.
#[derive(Debug, Serialize, ToSchema)]
struct Health {
    /// `ok`
    #[schema(value_type = String)]
    status: &'static str,
}

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

async fn ready(State(services): State<Services>) -> (StatusCode, Json<Readiness>) {
    let checks = services.health().map(|(service, client)| async move {
        let serving = tokio::time::timeout(HEALTH_TIMEOUT, is_serving(client)).await;
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

/// The document is made when it is asked for the first time.
fn document(make: fn() -> Outcome<String>, made: &OnceLock<Bytes>) -> Result<Response> {
    let document = match made.get() {
        Some(document) => document.clone(),
        None => {
            let document = Bytes::from(make()?);
            made.get_or_init(|| document).clone()
        }
    };
    let headers = [
        (CONTENT_TYPE, "application/json"),
        (CACHE_CONTROL, "public, max-age=300"),
    ];
    Ok((headers, document).into_response())
}
