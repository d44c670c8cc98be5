//! The client side of HTTP/2.
//!
//! Directly on `h2`: a general client hands every request to tasks of its own, which took more time
//! than the calls themselves.

use std::{future::Future, pin::Pin, time::Duration};

use bytes::Bytes;
use h2::{Ping, PingPong, RecvStream, client::SendRequest};
use http::{Request, Response};
use tokio::io::{AsyncRead, AsyncWrite};

use super::attempt::Failure;
use crate::coalesce::Coalescing;

/// A server that is silent for this long is sent a ping …
const KEEP_ALIVE: Duration = Duration::from_secs(2);

/// … which it must answer within this time.
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(3);

/// Bytes that a response may send before it is read, and all responses of a connection.
const STREAM_WINDOW: u32 = 2 * 1024 * 1024;
const CONNECTION_WINDOW: u32 = 5 * 1024 * 1024;

/// The size of all headers of a response, in bytes, at most.
const MAX_HEADERS: u32 = 16 * 1024;

/// Sends requests on a connection.
pub(super) type Sender = SendRequest<Bytes>;
/// Reads and writes a connection until it ends.
pub(super) type Driver = Pin<Box<dyn Future<Output = Result<(), Ended>> + Send>>;

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum Ended {
    /// An error of HTTP/2.
    #[error(transparent)]
    Http2(#[from] h2::Error),
    /// The server did not answer a ping in time.
    #[error("the server fell silent")]
    Silent,
}

/// Makes the HTTP/2 handshake.
pub(super) async fn handshake<I>(io: I) -> Result<(Sender, Driver), h2::Error>
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (sender, mut connection) = h2::client::Builder::new()
        .enable_push(false)
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_header_list_size(MAX_HEADERS)
        .handshake(Coalescing::new(io, true))
        .await?;
    let pings = connection.ping_pong();
    let driver = async move {
        tokio::select! {
            ended = connection => Ok(ended?),
            () = silence(pings) => Err(Ended::Silent),
        }
    };
    Ok((sender, Box::pin(driver)))
}

/// Resolves when the server does not answer a ping in time.
async fn silence(pings: Option<PingPong>) {
    // A connection has one; only a second request for it gets none.
    let Some(mut pings) = pings else {
        return std::future::pending().await;
    };
    loop {
        tokio::time::sleep(KEEP_ALIVE).await;
        match tokio::time::timeout(KEEP_ALIVE_TIMEOUT, pings.ping(Ping::opaque())).await {
            Ok(Ok(_)) => {}
            // The connection is ending, and reports why itself.
            Ok(Err(_)) => return std::future::pending().await,
            Err(_elapsed) => return,
        }
    }
}

/// Sends a request; resolves with the head of the response. Dropping the future cancels it.
pub(super) async fn send(
    sender: Sender,
    request: Request<()>,
    body: Bytes,
) -> Result<Response<RecvStream>, Failure> {
    let mut sender = sender.ready().await.map_err(Failure::unsent)?;
    let (answer, mut stream) = sender
        .send_request(request, false)
        .map_err(Failure::unsent)?;
    stream.send_data(body, true)?;
    Ok(answer.await?)
}
