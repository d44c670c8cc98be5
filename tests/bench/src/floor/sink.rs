//! A receiver of traces that takes everything and keeps nothing.

use std::{
    net::Ipv4Addr,
    sync::atomic::{AtomicBool, Ordering},
};

use bytes::Bytes;
use h2::{RecvStream, server::SendResponse};
use http::{HeaderMap, HeaderValue, Request, Response};
use tokio::net::{TcpListener, TcpStream};

use crate::{Result, child};

/// What it says when the first traces have come.
pub const RECEIVED: &str = "received";

/// An answer without fields: everything was taken.
const TAKEN: Bytes = Bytes::from_static(&[0; 5]);

static SAID: AtomicBool = AtomicBool::new(false);

/// Takes traces over OTLP's gRPC, until standard input ends.
///
/// # Errors
/// When it cannot listen.
pub async fn serve() -> Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    child::ready(&[("otlp", format!("http://{}", listener.local_addr()?))]);
    child::until_told(async {
        loop {
            let (stream, _) = listener.accept().await?;
            // An exporter that breaks off shows in the exporter's own log.
            tokio::spawn(async move { take_all(stream).await.ok() });
        }
    })
    .await
}

async fn take_all(stream: TcpStream) -> Result<(), h2::Error> {
    let mut connection = h2::server::handshake(stream).await?;
    while let Some(call) = connection.accept().await {
        let (request, answer) = call?;
        tokio::spawn(async move { take(request, answer).await.ok() });
    }
    Ok(())
}

async fn take(
    request: Request<RecvStream>,
    mut answer: SendResponse<Bytes>,
) -> Result<(), h2::Error> {
    let mut body = request.into_body();
    while let Some(data) = body.data().await {
        let length = data?.len();
        body.flow_control().release_capacity(length)?;
    }
    if !SAID.swap(true, Ordering::Relaxed) {
        println!("{RECEIVED}");
    }
    let mut head = Response::new(());
    let grpc = HeaderValue::from_static("application/grpc");
    head.headers_mut().insert("content-type", grpc);
    let mut stream = answer.send_response(head, false)?;
    stream.send_data(TAKEN, false)?;
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    stream.send_trailers(trailers)
}
