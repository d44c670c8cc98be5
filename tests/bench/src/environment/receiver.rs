//! Receivers of webhooks: some that answer at once, and one that never does.

use std::{future::pending, net::Ipv4Addr};

use axum::{
    Router,
    extract::{Path, State},
    http::HeaderMap,
    routing::post,
};
use bytes::Bytes;
use guildhall_runtime::Timestamp;
use tokio::net::TcpListener;

use super::recorder::Recorder;
use crate::{Result, child};

/// Where deliveries are answered and counted, by a name that follows.
pub const QUICK: &str = "/quick";
/// Where calls are answered only.
pub const UNSEEN: &str = "/unseen";
/// Where they never are.
pub const DEAD: &str = "/dead";

/// Receives, until standard input ends.
///
/// # Errors
/// When it cannot listen.
pub async fn serve() -> Result<()> {
    let recorder = Recorder::new()?;
    let app = Router::new()
        .route(&format!("{QUICK}/{{name}}"), post(receive))
        .with_state(recorder.clone())
        .route(UNSEEN, post(async |_: Bytes| ()))
        .route(DEAD, post(async || pending::<()>().await))
        .merge(recorder.router());
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    child::ready(&[("http", format!("http://{}", listener.local_addr()?))]);
    child::until_told(async { axum::serve(listener, app).await }).await?;
    Ok(())
}

async fn receive(
    State(recorder): State<Recorder>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) {
    let header = |name| headers.get(name)?.to_str().ok();
    let happened = header("x-event-timestamp").and_then(Timestamp::parse_iso);
    if let Some((id, happened)) = header("webhook-id").zip(happened) {
        recorder.saw_one(&format!("{name} {id}"), happened, body.len());
    }
}
