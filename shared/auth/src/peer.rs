//! The short-lived tokens by which services know each other.

use std::{
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use aws_lc_rs::{constant_time::verify_slices_are_equal, hmac};
use guildhall_runtime::{Peer, Result, Timestamp};
use http::{HeaderMap, HeaderValue, Request};
use parking_lot::Mutex;
use tonic::body::Body;
use tower::Service;

/// The gRPC metadata of the token.
const HEADER: &str = "x-guildhall-peer";
/// The gRPC metadata with which a gateway passes the client's address on.
pub const CLIENT_ADDRESS: &str = "x-guildhall-client-address";
/// How long a token is valid.
const LIFE: Duration = Duration::from_secs(60);
/// Checked tokens that are kept: seldom do more processes call one.
const KNOWN: usize = 8;

/// Makes and checks the tokens of services. All services of a platform share the secret.
#[derive(Clone)]
pub struct PeerTokens(Arc<Inner>);

struct Inner {
    key: hmac::Key,
    current: Mutex<(Timestamp, HeaderValue)>,
    /// Tokens that were found good, and until when they are.
    checked: Mutex<[(Timestamp, HeaderValue); KNOWN]>,
}

impl std::fmt::Debug for PeerTokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PeerTokens")
    }
}

impl PeerTokens {
    /// Tokens under a key derived from the platform's secret.
    #[must_use]
    pub fn new(secret: &[u8]) -> Self {
        let root = hmac::Key::new(hmac::HMAC_SHA256, secret);
        let key = hmac::sign(&root, b"guildhall peer token");
        Self(Arc::new(Inner {
            key: hmac::Key::new(hmac::HMAC_SHA256, key.as_ref()),
            current: Mutex::new(none()),
            checked: Mutex::new(std::array::from_fn(|_| none())),
        }))
    }

    /// A token that is valid for at least half a minute.
    fn issue(&self) -> HeaderValue {
        let now = Timestamp::now();
        let mut current = self.0.current.lock();
        if current.0 < now.plus(LIFE / 2) {
            let expires_at = now.plus(LIFE);
            let expiry = expires_at.as_millis().to_string();
            let tag = hex::encode(hmac::sign(&self.0.key, expiry.as_bytes()));
            let value = HeaderValue::from_str(&format!("{expiry}.{tag}"));
            // Not marked sensitive: HTTP/2 would spell it out in every call, and we print no headers.
            *current = (expires_at, value.unwrap_or(none().1));
        }
        current.1.clone()
    }

    /// Whether a request comes from a service of this platform.
    #[must_use]
    pub fn is_service(&self, headers: &HeaderMap) -> bool {
        let Some(token) = headers.get(HEADER) else {
            return false;
        };
        let now = Timestamp::now();
        let in_time = |at: Timestamp| now < at && at <= now.plus(LIFE * 2);
        // Each process sends the same for half a minute.
        let is_it = |(expires_at, known): &(Timestamp, HeaderValue)| {
            verify_slices_are_equal(known.as_bytes(), token.as_bytes()).is_ok()
                && in_time(*expires_at)
        };
        if self.0.checked.lock().iter().any(is_it) {
            return true;
        }
        let Some(expires_at) = self.expiry_of(token).filter(|at| in_time(*at)) else {
            return false;
        };
        let mut checked = self.0.checked.lock();
        if let Some(oldest) = checked.iter_mut().min_by_key(|known| known.0) {
            *oldest = (expires_at, token.clone());
        }
        true
    }

    /// When a token ends that one of us made.
    fn expiry_of(&self, token: &HeaderValue) -> Option<Timestamp> {
        let (expiry, tag) = token.to_str().ok()?.split_once('.')?;
        hmac::verify(&self.0.key, expiry.as_bytes(), &hex::decode(tag).ok()?).ok()?;
        Some(Timestamp::from_millis(expiry.parse().ok()?))
    }

    /// `peer` with a token in every call.
    #[must_use]
    pub fn sign_calls(&self, peer: Peer) -> Peer {
        Peer::in_process(Signed {
            peer,
            tokens: self.clone(),
        })
    }
}

/// No token, as of long ago.
fn none() -> (Timestamp, HeaderValue) {
    (Timestamp::from_millis(0), HeaderValue::from_static("-"))
}

#[derive(Clone)]
struct Signed {
    peer: Peer,
    tokens: PeerTokens,
}

impl Service<Request<Body>> for Signed {
    type Response = <Peer as Service<Request<Body>>>::Response;
    type Error = <Peer as Service<Request<Body>>>::Error;
    type Future = <Peer as Service<Request<Body>>>::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.peer.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        request.headers_mut().insert(HEADER, self.tokens.issue());
        self.peer.call(request)
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderName;

    use super::*;

    #[test]
    fn only_a_token_of_the_same_secret_is_accepted() {
        let tokens = PeerTokens::new(b"secret");
        let mut headers = HeaderMap::new();
        assert!(!tokens.is_service(&headers));
        headers.insert(HEADER, tokens.issue());
        assert!(tokens.is_service(&headers));
        assert!(!PeerTokens::new(b"other").is_service(&headers));
        let later = Timestamp::now().plus(LIFE).as_millis();
        headers.insert(
            HEADER,
            HeaderValue::from_str(&format!("{later}.00")).unwrap(),
        );
        assert!(!tokens.is_service(&headers));
    }

    #[test]
    fn a_checked_token_is_accepted_no_longer_than_it_is_valid() {
        let tokens = PeerTokens::new(b"secret");
        let known = HeaderValue::from_static("known");
        let headers = HeaderMap::from_iter([(HeaderName::from_static(HEADER), known.clone())]);
        let keep = |until| tokens.0.checked.lock()[0] = (until, known.clone());
        let now = Timestamp::now();
        keep(now.plus(LIFE));
        assert!(tokens.is_service(&headers));
        keep(now);
        assert!(!tokens.is_service(&headers));
        keep(now.plus(LIFE * 3));
        assert!(!tokens.is_service(&headers), "the clock was set back");
    }
}
