//! Somebody who calls the REST contract with one credential.

use guildhall_testkit::{Answer, Call, Rest};
use http::Method;
use serde_json::Value;

use crate::Credential;

/// A client that signs each of its calls.
#[derive(Debug, Clone)]
pub struct Caller {
    rest: Rest,
    credential: Credential,
}

impl Caller {
    /// Somebody with this credential.
    #[must_use]
    pub fn new(rest: &Rest, credential: Credential) -> Self {
        Self {
            rest: rest.clone(),
            credential,
        }
    }

    /// A signed call, to be put together further.
    #[must_use]
    pub fn call(&self, method: Method, path: &str) -> Call {
        self.credential.sign(self.rest.call(method, path))
    }

    /// `GET path`
    pub async fn get(&self, path: &str) -> Answer {
        self.call(Method::GET, path).send().await
    }

    /// `POST path` with a JSON body.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.call(Method::POST, path).json(body).send().await
    }

    /// `DELETE path` without a body.
    pub async fn delete(&self, path: &str) -> Answer {
        self.call(Method::DELETE, path).send().await
    }

    /// `DELETE path` with a JSON body.
    pub async fn delete_with(&self, path: &str, body: &Value) -> Answer {
        self.call(Method::DELETE, path).json(body).send().await
    }
}
