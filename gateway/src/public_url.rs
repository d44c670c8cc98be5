//! Where clients reach the gateway, for answers that name an address.

use std::{fmt, net::SocketAddr, str::FromStr};

use guildhall_runtime::{Error, Result};
use http::{Uri, uri::Scheme};

/// An address that begins with `http://` or `https://`, without a slash at its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicUrl(String);

impl FromStr for PublicUrl {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const WRONG: &str = "it must be of the form https://host[:port][/path]";
        let uri: Uri = text.parse().map_err(|_| WRONG)?;
        let is_web = uri.scheme() == Some(&Scheme::HTTPS) || uri.scheme() == Some(&Scheme::HTTP);
        let has_user = uri
            .authority()
            .is_some_and(|host| host.as_str().contains('@'));
        if !is_web || has_user || uri.query().is_some() {
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
    /// Where clients reach a gateway that listens at `listener`: where `given` says, else there,
    /// which is right for clients on this machine alone. What a request says of its host decides
    /// nothing: whoever sends it can write anything there.
    ///
    /// # Errors
    /// When others than this machine reach the listener, and nobody has said under which address.
    pub fn of(given: Option<&Self>, listener: SocketAddr) -> Result<Self> {
        match given {
            Some(given) => Ok(given.clone()),
            None if listener.ip().to_canonical().is_loopback() => {
                Ok(Self(format!("http://{listener}")))
            }
            None => Err(Error::bug(format!(
                "--http {listener} is reached from other machines, so --public-url must say under \
                 which address, e.g. --public-url https://api.example.com: the urls of incoming \
                 webhooks begin with it"
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_names_a_place_and_nobody() {
        for right in ["https://api.example.com", "http://127.0.0.1:8080/base/"] {
            assert!(right.parse::<PublicUrl>().is_ok(), "{right}");
        }
        for wrong in [
            "https://u:p@x.example",
            "ftp://x.example",
            "https://x.example?a=b",
            "x",
        ] {
            assert!(wrong.parse::<PublicUrl>().is_err(), "{wrong}");
        }
    }

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
    fn only_this_machine_finds_the_gateway_without_being_told() {
        let of = |listener: &str| PublicUrl::of(None, listener.parse().unwrap());
        for here in ["127.0.0.1:8080", "127.0.0.2:80", "[::1]:8080"] {
            assert_eq!(of(here).unwrap().to_string(), format!("http://{here}"));
        }
        for beyond in [
            "0.0.0.0:80",
            "[::]:80",
            "192.0.2.1:80",
            "[::ffff:10.0.0.1]:80",
        ] {
            let refused = of(beyond).unwrap_err().with_causes();
            let example = "--public-url https://api.example.com";
            assert!(
                refused.contains(example) && refused.contains(beyond),
                "{refused}"
            );
            let given: PublicUrl = "https://a.example".parse().unwrap();
            let told = PublicUrl::of(Some(&given), beyond.parse().unwrap());
            assert_eq!(told.unwrap(), given);
        }
    }
}
