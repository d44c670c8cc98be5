//! The id of a request, in its log lines and in its answer.

use std::fmt;

use http::{HeaderMap, HeaderValue};

/// Header and gRPC metadata that carry it.
pub const HEADER: &str = "x-request-id";

/// The longest id that a caller may choose.
const MAX_LEN: usize = 128;

/// A request's id: the caller's own when it is printable and short, else 32 random hex.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(String);

impl RequestId {
    /// The id that the request brings, or a new one.
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Self {
        headers
            .get(HEADER)
            .and_then(|value| value.to_str().ok())
            .filter(|text| !text.is_empty() && text.len() <= MAX_LEN)
            .map_or_else(Self::random, |text| Self(text.to_owned()))
    }

    /// A new id.
    #[must_use]
    pub fn random() -> Self {
        let mut bytes = [0; 16];
        // Without randomness from the system it is all zeros, which still serves.
        let _ = aws_lc_rs::rand::fill(&mut bytes);
        Self(hex::encode(bytes))
    }

    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// As a header's value.
    #[must_use]
    pub fn to_header(&self) -> HeaderValue {
        let invalid = HeaderValue::from_static("invalid");
        let mut value = HeaderValue::from_str(&self.0).unwrap_or(invalid);
        // Different in each call: HTTP/2 must not keep it in its header table.
        value.set_sensitive(true);
        value
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_may_choose_the_id_within_limits() {
        let mut headers = HeaderMap::new();
        headers.insert(HEADER, HeaderValue::from_static("mine"));
        assert_eq!(RequestId::of(&headers).as_str(), "mine");
        headers.insert(HEADER, HeaderValue::from_str(&"x".repeat(129)).unwrap());
        assert_eq!(RequestId::of(&headers).as_str().len(), 32);
        headers.insert(HEADER, HeaderValue::from_bytes(b"\xff").unwrap());
        assert_eq!(RequestId::of(&headers).as_str().len(), 32);
    }
}
