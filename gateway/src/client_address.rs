//! Where a request came from, for counting login attempts.

use std::{net::IpAddr, str::FromStr};

use guildhall_runtime::serve::ClientSocket;
use http::{HeaderName, request::Parts};
use ipnet::IpNet;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// A network, or a single address, of proxies whose `X-Forwarded-For` is believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cidr(IpNet);

impl Cidr {
    fn contains(self, address: IpAddr) -> bool {
        self.0.contains(&address)
    }
}

impl FromStr for Cidr {
    type Err = ipnet::AddrParseError;

    /// Reads `10.0.0.0/8`, `2001:db8::/32` or a plain address.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.parse::<IpAddr>() {
            Ok(address) => Ok(Self(address.into())),
            Err(_) => text.parse().map(Self),
        }
    }
}

/// The address of the client: of the connection, or, behind trusted proxies, of the last hop
/// that is none of them. Earlier hops are whatever the client claims.
pub fn of(request: &Parts, trusted: &[Cidr]) -> Option<IpAddr> {
    let ClientSocket(socket) = request.extensions.get::<ClientSocket>()?;
    let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(address));
    let hops: Vec<&str> = request
        .headers
        .get_all(FORWARDED_FOR)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .collect();

    let mut client = socket.ip().to_canonical();
    for hop in hops.into_iter().rev() {
        if !is_trusted(client) {
            break;
        }
        match hop.trim().parse::<IpAddr>() {
            Ok(address) => client = address.to_canonical(),
            Err(_) => break,
        }
    }
    Some(client)
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn client(socket: &str, forwarded: &[&str], trusted: &[&str]) -> String {
        let mut request = Request::builder().extension(ClientSocket(socket.parse().unwrap()));
        for value in forwarded {
            request = request.header(FORWARDED_FOR, *value);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let trusted: Vec<Cidr> = trusted.iter().map(|text| text.parse().unwrap()).collect();
        of(&parts, &trusted).unwrap().to_string()
    }

    #[test]
    fn without_trusted_proxies_the_header_is_what_the_client_claims() {
        assert_eq!(client("192.0.2.7:1", &["203.0.113.9"], &[]), "192.0.2.7");
        assert_eq!(
            client("192.0.2.7:1", &["203.0.113.9"], &["10.0.0.0/8"]),
            "192.0.2.7"
        );
    }

    #[test]
    fn behind_proxies_it_is_the_last_hop_that_is_none_of_them() {
        let trusted = &["10.0.0.0/8", "198.51.100.1"];
        assert_eq!(
            client(
                "10.0.0.1:1",
                &["1.1.1.1, 203.0.113.9, 198.51.100.1"],
                trusted
            ),
            "203.0.113.9"
        );
        assert_eq!(
            client("10.0.0.1:1", &["1.1.1.1", "203.0.113.9"], trusted),
            "203.0.113.9"
        );
        assert_eq!(client("10.0.0.1:1", &["nonsense"], trusted), "10.0.0.1");
        assert_eq!(
            client("[::ffff:10.0.0.1]:1", &["203.0.113.9"], trusted),
            "203.0.113.9"
        );
    }
}
