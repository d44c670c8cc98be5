//! Calls over HTTP/1.1: the same bytes again and again on a connection that stays open.

use std::{net::SocketAddr, sync::Arc};

use bytes::Bytes;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{Line, Target};
use crate::Result;

/// Headers that an answer may have.
const HEADERS: usize = 32;

/// Requests, written out, of which each connection makes one after the other.
#[derive(Debug, Clone)]
pub struct Http1 {
    address: SocketAddr,
    requests: Arc<[Bytes]>,
}

impl Http1 {
    /// Requests to the server at `base`, e.g. `http://127.0.0.1:8080`.
    ///
    /// # Errors
    /// When that is no such address.
    pub fn new(base: &str, requests: impl IntoIterator<Item = Request>) -> Result<Self> {
        let host = base.trim_start_matches("http://");
        let requests = requests.into_iter().map(|request| request.written(host));
        Ok(Self {
            address: host.parse()?,
            requests: requests.collect(),
        })
    }
}

/// A request.
#[derive(Debug, Clone)]
pub struct Request {
    /// `GET` or `POST`.
    pub method: &'static str,
    /// Its path and query.
    pub path: String,
    /// The key that it is made with.
    pub key: String,
    /// Its JSON body; empty for none.
    pub body: String,
}

impl Request {
    fn written(&self, host: &str) -> Bytes {
        let Self {
            method,
            path,
            key,
            body,
        } = self;
        let length = body.len();
        let described = match length {
            0 => String::new(),
            _ => format!("Content-Type: application/json\r\nContent-Length: {length}\r\n"),
        };
        let text = format!(
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {key}\r\n\
             {described}\r\n{body}"
        );
        text.into()
    }
}

/// A connection.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    requests: Arc<[Bytes]>,
    buffer: Vec<u8>,
}

impl Target for Http1 {
    type Line = Connection;

    async fn connect(&self) -> Result<Connection> {
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        Ok(Connection {
            stream,
            requests: Arc::clone(&self.requests),
            buffer: Vec::with_capacity(64 * 1024),
        })
    }
}

impl Line for Connection {
    async fn call(&mut self, turn: u64) -> Result<(), String> {
        let index = turn % self.requests.len() as u64;
        let request = self.requests.get(index as usize).ok_or("no request")?;
        let sent = self.stream.write_all(request).await;
        sent.map_err(|error| error.to_string())?;
        self.buffer.clear();
        let head = loop {
            self.read().await?;
            if let Some(head) = Head::parse(&self.buffer)? {
                break head;
            }
        };
        while self.buffer.len() < head.length + head.body {
            self.read().await?;
        }
        match head.status {
            200 => Ok(()),
            status => {
                let body = self.buffer.get(head.length..).unwrap_or_default();
                Err(format!(
                    "status {status}: {}",
                    String::from_utf8_lossy(body)
                ))
            }
        }
    }
}

impl Connection {
    async fn read(&mut self) -> Result<(), String> {
        match self.stream.read_buf(&mut self.buffer).await {
            Ok(0) => Err("the connection was closed".to_owned()),
            Ok(_) => Ok(()),
            Err(error) => Err(error.to_string()),
        }
    }
}

/// The head of an answer.
#[derive(Debug, PartialEq, Eq)]
struct Head {
    status: u16,
    /// Its own length, in bytes.
    length: usize,
    /// The length of the body behind it.
    body: usize,
}

impl Head {
    /// None while it is not whole.
    fn parse(bytes: &[u8]) -> Result<Option<Self>, String> {
        let mut headers = [httparse::EMPTY_HEADER; HEADERS];
        let mut response = httparse::Response::new(&mut headers);
        let parsed = response.parse(bytes).map_err(|error| error.to_string())?;
        let httparse::Status::Complete(length) = parsed else {
            return Ok(None);
        };
        let named =
            |header: &&httparse::Header<'_>| header.name.eq_ignore_ascii_case("content-length");
        let body = response.headers.iter().find(named);
        let body = body.and_then(|header| str::from_utf8(header.value).ok()?.parse().ok());
        Ok(Some(Self {
            status: response.code.unwrap_or_default(),
            length,
            body: body.ok_or("an answer without its length")?,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_whole_with_its_body() {
        let head = "HTTP/1.1 200 OK\r\nx-request-id: 1\r\nContent-Length: 5\r\n\r\n";
        let parsed = Head::parse(format!("{head}hel").as_bytes()).unwrap();
        let expected = Head {
            status: 200,
            length: head.len(),
            body: 5,
        };
        assert_eq!(parsed, Some(expected));
        assert_eq!(Head::parse(b"HTTP/1.1 200 OK\r\nCont").unwrap(), None);
    }

    #[test]
    fn an_answer_without_an_end_is_refused() {
        let chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
        assert!(Head::parse(chunked).is_err());
        assert!(Head::parse(b"SSH-2.0-x\r\n").is_err());
    }

    #[test]
    fn a_request_is_written_as_http() {
        let mut request = Request {
            method: "GET",
            path: "/v1/messages".to_owned(),
            key: "k".to_owned(),
            body: String::new(),
        };
        let written = request.written("h:1");
        assert_eq!(
            written,
            "GET /v1/messages HTTP/1.1\r\nHost: h:1\r\nAuthorization: Bearer k\r\n\r\n"
        );
        request.body = "{}".to_owned();
        assert!(
            request
                .written("h:1")
                .ends_with(b"Content-Length: 2\r\n\r\n{}")
        );
    }
}
