//! Where clients reach the gateway, for answers that name an address.

use std::{fmt, str::FromStr};

use http::{
    Uri,
    header::HOST,
    request::Parts,
    uri::{Authority, Scheme},
};

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

impl PublicUrl {
    /// Where a request was sent: HTTP/1.1 names the host in a header, HTTP/2 in the address.
    pub fn asked_for(request: &Parts) -> Self {
        let header = request
            .headers
            .get(HOST)
            .and_then(|host| host.to_str().ok());
        let header = header.and_then(|host| host.parse::<Authority>().ok());
        let host = header.or_else(|| request.uri.authority().cloned());
        let host = host.unwrap_or_else(|| Authority::from_static("localhost"));
        Self(format!("http://{host}"))
    }
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
            read("http://a.example:8080/guildhall").unwrap(),
            "http://a.example:8080/guildhall"
        );
        for wrong in ["a.example", "ftp://a.example", "https://a.example/?q=1", ""] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn else_it_is_the_host_that_was_asked() {
        let of = |request: http::request::Builder| {
            PublicUrl::asked_for(&request.body(()).unwrap().into_parts().0).to_string()
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
