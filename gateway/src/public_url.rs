//! Where clients reach the gateway, for answers that name an address.

use std::{convert::Infallible, fmt, str::FromStr};

use axum::extract::FromRequestParts;
use http::{
    Uri,
    header::HOST,
    request::Parts,
    uri::{Authority, Scheme},
};

use crate::upstream::Services;

/// An address that begins with `http://` or `https://`, without a slash at its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicUrl(String);

impl FromStr for PublicUrl {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const WRONG: &str = "it must be of the form https://host[:port][/path]";
        let uri: Uri = text.parse().map_err(|_| WRONG)?;
        let is_web = uri.scheme() == Some(&Scheme::HTTPS) || uri.scheme() == Some(&Scheme::HTTP);
        if !is_web || uri.query().is_some() {
            return Err(WRONG);
        }
        Ok(Self(text.trim_end_matches('/').to_owned()))
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromRequestParts<Services> for PublicUrl {
    type Rejection = Infallible;

    /// The configured one, else the host that the request asked for.
    async fn from_request_parts(
        parts: &mut Parts,
        services: &Services,
    ) -> Result<Self, Infallible> {
        Ok(match services.public_url() {
            Some(configured) => configured.clone(),
            None => asked(parts),
        })
    }
}

/// HTTP/1.1 names the host in a header, HTTP/2 in the address.
fn asked(parts: &Parts) -> PublicUrl {
    let header = parts.headers.get(HOST).and_then(|host| host.to_str().ok());
    let header = header.and_then(|host| host.parse::<Authority>().ok());
    let host = header.or_else(|| parts.uri.authority().cloned());
    let host = host.unwrap_or_else(|| Authority::from_static("localhost"));
    PublicUrl(format!("http://{host}"))
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    #[test]
    fn it_is_an_address_of_the_web_without_a_slash_at_its_end() {
        let read = |text: &str| text.parse::<PublicUrl>().map(|url| url.to_string());
        assert_eq!(read("https://a.example/").unwrap(), "https://a.example");
        assert_eq!(
            read("http://a.example:8080/town").unwrap(),
            "http://a.example:8080/town"
        );
        for wrong in ["a.example", "ftp://a.example", "https://a.example/?q=1", ""] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn else_it_is_the_host_that_was_asked() {
        let of = |request: http::request::Builder| {
            asked(&request.body(()).unwrap().into_parts().0).to_string()
        };
        let one = Request::get("/v1").header("Host", "a.example:81");
        assert_eq!(of(one), "http://a.example:81");
        assert_eq!(of(Request::get("http://b.example/v1")), "http://b.example");
        assert_eq!(
            of(Request::get("/v1").header("Host", "a b")),
            "http://localhost"
        );
    }
}
