//! Which pages of browsers may call: those of the origins that an operator names, none by default.

use std::{str::FromStr, time::Duration};

use http::{HeaderName, HeaderValue, Method, Uri, header};
use tower_http::cors::{AllowOrigin, CorsLayer};

/// How long a browser may remember what is allowed.
const MAX_AGE: Duration = Duration::from_secs(3600);

/// The origin of a page: `https://app.example.com`, or `*` for every page.
///
/// Credentials are in headers that a page's own code must set, never in cookies, so a page of another
/// origin cannot use those of somebody else: `Access-Control-Allow-Credentials` is never answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin(HeaderValue);

/// A text that is no origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it must be an origin such as https://app.example.com, without a path, or *")]
pub struct NoOrigin;

impl FromStr for Origin {
    type Err = NoOrigin;

    fn from_str(text: &str) -> Result<Self, NoOrigin> {
        let value = HeaderValue::from_str(text).map_err(|_| NoOrigin)?;
        if text == "*" {
            return Ok(Self(value));
        }
        let uri: Uri = text.parse().map_err(|_| NoOrigin)?;
        let scheme = uri.scheme_str().ok_or(NoOrigin)?;
        let authority = uri.authority().ok_or(NoOrigin)?;
        // Browsers send exactly this, in lower case.
        let is_exact = format!("{scheme}://{authority}").to_lowercase() == text;
        let is_web = matches!(scheme, "http" | "https") && !authority.as_str().contains('@');
        (is_exact && is_web).then_some(Self(value)).ok_or(NoOrigin)
    }
}

/// Answers browsers that ask whether a page of `origins` may call; none when there are none.
pub fn layer(origins: &[Origin]) -> Option<CorsLayer> {
    if origins.is_empty() {
        return None;
    }
    let every = origins.iter().any(|origin| origin.0 == "*");
    let allowed = if every {
        AllowOrigin::any()
    } else {
        AllowOrigin::list(origins.iter().map(|origin| origin.0.clone()))
    };
    let methods = [
        Method::GET,
        Method::POST,
        Method::PUT,
        Method::PATCH,
        Method::DELETE,
    ];
    let sent = [
        header::AUTHORIZATION,
        header::CONTENT_TYPE,
        named("x-api-key"),
        named("apikey"),
        named("api-token"),
        named("idempotency-key"),
        named("x-request-id"),
        named("webhook-id"),
        named("x-encrypted"),
        named("x-session-token"),
    ];
    let shown = [
        header::RETRY_AFTER,
        header::WWW_AUTHENTICATE,
        named("idempotent-replayed"),
        named("x-request-id"),
        named("x-ratelimit-limit"),
        named("x-ratelimit-remaining"),
        named("x-ratelimit-reset"),
    ];
    let layer = CorsLayer::new()
        .allow_origin(allowed)
        .allow_methods(methods);
    let layer = layer.allow_headers(sent).expose_headers(shown);
    Some(layer.max_age(MAX_AGE))
}

const fn named(name: &'static str) -> HeaderName {
    HeaderName::from_static(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_a_scheme_and_a_host() {
        for good in ["https://app.example.com", "http://localhost:3000", "*"] {
            assert!(good.parse::<Origin>().is_ok(), "{good}");
        }
        for bad in [
            "",
            "app.example.com",
            "https://app.example.com/",
            "https://app.example.com/path",
            "https://App.example.com",
            "https://user@app.example.com",
            "ftp://app.example.com",
            "https://",
            "null",
            "https://*.example.com/",
        ] {
            assert!(bad.parse::<Origin>().is_err(), "{bad}");
        }
    }
}
