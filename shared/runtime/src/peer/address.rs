//! Where a replica is.

use std::{fmt, str::FromStr};

use http::{
    Uri,
    uri::{Authority, PathAndQuery, Scheme},
};

use crate::{Error, Reason};

/// The address of a service: `http://host:port`, or `https://host:port` with TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    scheme: Scheme,
    authority: Authority,
}

impl Address {
    /// Whether TLS is spoken there.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.scheme == Scheme::HTTPS
    }

    /// The name or IP address, without the brackets of IPv6.
    #[must_use]
    pub fn host(&self) -> &str {
        self.authority.host().trim_matches(['[', ']'])
    }

    /// The port, else the scheme's own.
    #[must_use]
    pub fn port(&self) -> u16 {
        let of_scheme = if self.is_https() { 443 } else { 80 };
        self.authority.port_u16().unwrap_or(of_scheme)
    }

    /// The address of a method there.
    pub(super) fn of(&self, method: &Uri) -> Uri {
        let mut parts = http::uri::Parts::default();
        parts.scheme = Some(self.scheme.clone());
        parts.authority = Some(self.authority.clone());
        let path = method.path_and_query().cloned();
        parts.path_and_query = Some(path.unwrap_or_else(|| PathAndQuery::from_static("/")));
        // Scheme, authority and path are all there, the one thing that can be wrong.
        Uri::from_parts(parts).unwrap_or_default()
    }
}

impl FromStr for Address {
    type Err = Error;

    /// # Errors
    /// When the text is no `http` or `https` address, or says more than scheme, host and port.
    fn from_str(text: &str) -> Result<Self, Error> {
        // What was given is not repeated: it may hold a password where none belongs.
        let wrong = || {
            Error::new(
                Reason::InvalidValue,
                "an address looks like http://host:port or https://host:port",
            )
        };
        let parts = text.parse::<Uri>().map_err(|_| wrong())?.into_parts();
        let path = parts.path_and_query.as_ref().map(PathAndQuery::as_str);
        match (parts.scheme, parts.authority, path) {
            (Some(scheme), Some(authority), None | Some("" | "/"))
                if (scheme == Scheme::HTTP || scheme == Scheme::HTTPS)
                    && !authority.as_str().contains('@') =>
            {
                Ok(Self { scheme, authority })
            }
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.authority)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_scheme_host_and_port() {
        let address: Address = "https://[::1]:7443/".parse().unwrap();
        assert!(address.is_https());
        assert_eq!((address.host(), address.port()), ("::1", 7443));
        assert_eq!(address.to_string(), "https://[::1]:7443");
        let method = "/guildhall.x.v1.X/Get".parse().unwrap();
        assert_eq!(
            address.of(&method),
            "https://[::1]:7443/guildhall.x.v1.X/Get"
        );
        let plain: Address = "http://messaging".parse().unwrap();
        assert_eq!(plain.port(), 80);
    }

    #[test]
    fn what_else_is_given_is_refused_and_not_repeated() {
        for wrong in [
            "",
            "messaging:1",
            "ftp://messaging",
            "http://messaging/path",
            "http://user:secret@messaging",
        ] {
            let error = wrong.parse::<Address>().unwrap_err();
            assert!(!error.to_string().contains("secret"), "{wrong}");
        }
    }
}
