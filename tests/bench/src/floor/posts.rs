//! A bare client of a receiver: what a delivery costs without a delivery.

use bytes::Bytes;
use reqwest::{Client, Url};

use crate::{
    Result,
    load::{Line, Target},
};

/// Calls with a body of a delivery's length, over connections that are kept.
#[derive(Debug, Clone)]
pub struct Posts {
    client: Client,
    url: Url,
    body: Bytes,
}

impl Posts {
    /// Calls of `url` with so many bytes.
    ///
    /// # Errors
    /// When there is no such address.
    pub fn new(url: &str, bytes: usize) -> Result<Self> {
        Ok(Self {
            client: Client::new(),
            url: url.parse()?,
            body: vec![b'x'; bytes].into(),
        })
    }
}

impl Target for Posts {
    type Line = Self;

    async fn connect(&self) -> Result<Self> {
        Ok(self.clone())
    }
}

impl Line for Posts {
    async fn call(&mut self, _: u64) -> Result<(), String> {
        let call = self.client.post(self.url.clone()).body(self.body.clone());
        let answer = call.send().await.and_then(|it| it.error_for_status());
        let body = answer.map_err(|error| error.to_string())?.bytes().await;
        body.map(drop).map_err(|error| error.to_string())
    }
}
