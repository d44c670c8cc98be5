//! Calls of the public contract.

use std::net::IpAddr;

use http::{HeaderMap, HeaderValue, Method};
use serde_json::Value;

use crate::secret;

/// A client of the gateway.
#[derive(Debug, Clone)]
pub struct Rest {
    base: String,
    client: reqwest::Client,
}

impl Rest {
    /// A client of the gateway at `base`.
    #[must_use]
    pub fn new(base: &str) -> Self {
        Self {
            base: base.to_owned(),
            client: reqwest::Client::new(),
        }
    }

    /// A client that calls from an address of this machine.
    #[must_use]
    pub fn from_address(base: &str, address: IpAddr) -> Self {
        let client = reqwest::Client::builder().local_address(address);
        Self {
            base: base.to_owned(),
            client: client.build().expect("a client"),
        }
    }

    /// A client that sends any number of calls at once over few connections (HTTP/2).
    #[must_use]
    pub fn multiplexed(base: &str) -> Self {
        let client = reqwest::Client::builder().http2_prior_knowledge();
        Self {
            base: base.to_owned(),
            client: client.build().expect("a client"),
        }
    }

    /// `GET path`
    #[must_use]
    pub fn get(&self, path: &str) -> Call {
        self.call(Method::GET, path)
    }

    /// `POST path`
    #[must_use]
    pub fn post(&self, path: &str) -> Call {
        self.call(Method::POST, path)
    }

    /// `DELETE path`
    #[must_use]
    pub fn delete(&self, path: &str) -> Call {
        self.call(Method::DELETE, path)
    }

    /// Any method.
    #[must_use]
    pub fn call(&self, method: Method, path: &str) -> Call {
        Call(self.client.request(method, format!("{}{path}", self.base)))
    }
}

/// A call that is being put together.
#[derive(Debug)]
pub struct Call(reqwest::RequestBuilder);

impl Call {
    /// `Authorization: Bearer …`
    #[must_use]
    pub fn bearer(self, key: &str) -> Self {
        self.header("Authorization", &format!("Bearer {key}"))
    }

    /// `X-API-Key: …`
    #[must_use]
    pub fn system_key(self, key: &str) -> Self {
        self.header("X-API-Key", key)
    }

    /// `Api-Token: …`
    #[must_use]
    pub fn sendbird_token(self, token: &str) -> Self {
        self.header("Api-Token", token)
    }

    /// `Idempotency-Key: …`
    #[must_use]
    pub fn idempotency_key(self, key: &str) -> Self {
        self.header("Idempotency-Key", key)
    }

    /// Any header; what is not ASCII goes as its bytes.
    #[must_use]
    pub fn header(self, name: &str, value: &str) -> Self {
        if ["authorization", "x-api-key", "api-token"].contains(&name.to_lowercase().as_str()) {
            secret::learn_credential(value);
        }
        let value = HeaderValue::from_bytes(value.as_bytes()).expect("a header's value");
        Self(self.0.header(name, value))
    }

    /// Query parameters.
    #[must_use]
    pub fn query(self, pairs: &[(&str, &str)]) -> Self {
        Self(self.0.query(pairs))
    }

    /// A JSON body.
    #[must_use]
    pub fn json(self, body: &Value) -> Self {
        secret::learn_sent(body);
        Self(self.0.json(body))
    }

    /// Any body, without a content type.
    #[must_use]
    pub fn body(self, body: impl Into<Vec<u8>>) -> Self {
        Self(self.0.body(body.into()))
    }

    /// Sends it and reads the whole answer.
    pub async fn send(self) -> Answer {
        self.try_send().await.expect("a whole answer")
    }

    /// As [`send`](Self::send), for a platform that may die meanwhile.
    ///
    /// # Errors
    /// When no whole answer comes.
    pub async fn try_send(self) -> Result<Answer, reqwest::Error> {
        let response = self.0.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = response.text().await?;
        secret::learn_answer(&body);
        Ok(Answer {
            status,
            headers,
            body,
        })
    }
}

/// An answer of the gateway.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body as text.
    pub body: String,
}

impl Answer {
    /// The body as JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body)
            .unwrap_or_else(|error| panic!("{error} in {} {:?}", self.status, self.body))
    }

    /// The body as JSON, when the status is the expected one.
    pub fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.body);
        self.json()
    }

    /// A header's text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .get(name)
            .map(|value| value.to_str().expect("a printable header"))
    }
}
