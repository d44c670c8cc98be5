//! Where no delivery may go: into the operator's own network.
//!
//! A name is checked when a connection is made, by the addresses that it then has: what it meant
//! when the webhook was made says nothing. An address in the url never reaches the resolver, so it
//! is checked before each attempt.

use std::net::SocketAddr;

use url::Url;

use crate::domain::{outgoing::is_public_host, public_net::is_public};

/// What receivers may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// On the public internet, over TLS.
    Public,
    /// Anywhere, also over plain HTTP: for development and tests.
    Anywhere,
}

/// The receiver is not on the public internet.
#[derive(Debug)]
pub(super) struct NotPublic;

impl std::fmt::Display for NotPublic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the url is not one of the public internet")
    }
}

impl std::error::Error for NotPublic {}

impl Reach {
    /// What an operator allows.
    #[must_use]
    pub fn allowing_private(allow: bool) -> Self {
        if allow { Self::Anywhere } else { Self::Public }
    }

    /// Whether a url may be called, as far as it says itself.
    ///
    /// # Errors
    /// When it may not.
    pub(super) fn check(self, url: &Url) -> Result<(), NotPublic> {
        match self {
            Self::Anywhere => Ok(()),
            Self::Public if url.scheme() != "https" => Err(NotPublic),
            Self::Public if !is_public_host(url) => Err(NotPublic),
            Self::Public => Ok(()),
        }
    }

    /// The addresses that a connection may be made to.
    ///
    /// # Errors
    /// When there are none.
    pub(super) fn filter(self, found: Vec<SocketAddr>) -> Result<Vec<SocketAddr>, NotPublic> {
        let within = match self {
            Self::Anywhere => found,
            Self::Public => {
                let public = found.into_iter().filter(|address| is_public(address.ip()));
                public.collect()
            }
        };
        if within.is_empty() {
            return Err(NotPublic);
        }
        Ok(within)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_means_its_public_addresses_alone() {
        let [public, private] = ["1.1.1.1:0", "10.0.0.1:0"].map(|text| text.parse().unwrap());
        let found = Reach::Public.filter(vec![private, public]).unwrap();
        assert_eq!(found, [public]);
        assert!(Reach::Public.filter(vec![private]).is_err());
        assert!(Reach::Anywhere.filter(vec![private]).is_ok());
    }

    #[test]
    fn an_address_in_a_url_is_checked_however_it_is_written() {
        for (url, is_allowed) in [
            ("https://a.example/", true),
            ("https://1.1.1.1/", true),
            ("http://1.1.1.1/", false),
            ("https://127.1/", false),
            ("https://localhost./", false),
            ("https://db.internal/", false),
            ("https://0x7f000001/", false),
            ("https://[::ffff:169.254.169.254]/", false),
        ] {
            let url = url.parse().unwrap();
            assert_eq!(Reach::Public.check(&url).is_ok(), is_allowed, "{url}");
            assert!(Reach::Anywhere.check(&url).is_ok());
        }
    }
}
