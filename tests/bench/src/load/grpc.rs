//! Calls over gRPC: a message that was encoded before, on an HTTP/2 connection of its own.
//!
//! On bare HTTP/2 and not a client of tonic's, whose layers would cost more than they tell here.

use std::{net::SocketAddr, sync::Arc};

use bytes::{BufMut, Bytes, BytesMut};
use h2::client::{ResponseFuture, SendRequest};
use http::{HeaderMap, Method, Request, Version};
use prost::Message;
use tokio::net::TcpStream;

use super::{Line, Target};
use crate::Result;

/// A method and the messages that it is called with.
#[derive(Debug, Clone)]
pub struct Grpc {
    address: SocketAddr,
    call: Arc<Prepared>,
}

#[derive(Debug)]
struct Prepared {
    uri: http::Uri,
    headers: HeaderMap,
    bodies: Vec<Bytes>,
}

impl Grpc {
    /// Calls of a method, e.g. `/guildhall.messaging.v1.MessageService/SendMessage`, of the server
    /// at `base`, e.g. `http://127.0.0.1:50051`.
    ///
    /// # Errors
    /// When one of these is not what it should be.
    pub fn new<M: Message>(
        base: &str,
        method: &str,
        key: &str,
        messages: impl IntoIterator<Item = M>,
    ) -> Result<Self> {
        let mut headers = HeaderMap::new();
        headers.insert("te", "trailers".parse()?);
        headers.insert("content-type", "application/grpc".parse()?);
        headers.insert("authorization", format!("Bearer {key}").parse()?);
        let call = Prepared {
            uri: format!("{base}{method}").parse()?,
            headers,
            bodies: messages
                .into_iter()
                .map(|message| framed(&message))
                .collect(),
        };
        Ok(Self {
            address: base.trim_start_matches("http://").parse()?,
            call: Arc::new(call),
        })
    }
}

/// A message as gRPC puts it on the wire: not compressed, with its length.
pub(crate) fn framed(message: &impl Message) -> Bytes {
    let encoded = message.encode_to_vec();
    let mut frame = BytesMut::with_capacity(5 + encoded.len());
    frame.put_u8(0);
    frame.put_u32(u32::try_from(encoded.len()).unwrap_or(u32::MAX));
    frame.extend_from_slice(&encoded);
    frame.freeze()
}

/// A connection.
pub struct Connection {
    sender: SendRequest<Bytes>,
    call: Arc<Prepared>,
}

impl Target for Grpc {
    type Line = Connection;

    async fn connect(&self) -> Result<Connection> {
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = h2::client::handshake(stream).await?;
        tokio::spawn(async move {
            // Its calls fail with it.
            let _ = connection.await;
        });
        Ok(Connection {
            sender,
            call: Arc::clone(&self.call),
        })
    }
}

impl Line for Connection {
    async fn call(&mut self, turn: u64) -> Result<(), String> {
        let sent = self.send(turn).await.map_err(|error| error.to_string())?;
        let trailers = answer(sent).await.map_err(|error| error.to_string())?;
        match trailers.get("grpc-status") {
            Some(status) if status == "0" => Ok(()),
            status => Err(format!("grpc-status {status:?}")),
        }
    }
}

impl Connection {
    async fn send(&mut self, turn: u64) -> Result<ResponseFuture, h2::Error> {
        let mut request = Request::new(());
        *request.method_mut() = Method::POST;
        *request.version_mut() = Version::HTTP_2;
        *request.uri_mut() = self.call.uri.clone();
        *request.headers_mut() = self.call.headers.clone();
        let index = turn % self.call.bodies.len() as u64;
        let body = self.call.bodies.get(index as usize).cloned();
        self.sender = self.sender.clone().ready().await?;
        let (answer, mut stream) = self.sender.send_request(request, false)?;
        stream.send_data(body.unwrap_or_default(), true)?;
        Ok(answer)
    }
}

/// Reads a whole answer; its trailers, or its headers where it ends with them.
async fn answer(sent: ResponseFuture) -> Result<HeaderMap, h2::Error> {
    let (head, mut body) = sent.await?.into_parts();
    while let Some(data) = body.data().await {
        let length = data?.len();
        body.flow_control().release_capacity(length)?;
    }
    Ok(body.trailers().await?.unwrap_or(head.headers))
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_says_how_long_its_message_is() {
        let frame = framed(&"hello".to_owned());
        // A protobuf string: tag, length, text.
        assert_eq!(&frame[..], b"\0\0\0\0\x07\x0a\x05hello");
    }
}
