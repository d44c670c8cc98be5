//! Where a call comes from, for counting attempts.

use std::{fmt, net::IpAddr};

use guildhall_runtime::serve::{ClientSocket, network};
use http::Request;

use crate::peer::CLIENT_ADDRESS;

/// The address of the client as the first process that it reached saw it: all of an IPv4 address,
/// and the /64 of an IPv6 address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClientAddress(IpAddr);

impl ClientAddress {
    /// The client behind a call of a service, which passes it on, or at the other end of the
    /// connection. None for what a service does by itself.
    pub(crate) fn of<B>(call: &Request<B>, is_service: bool) -> Option<Self> {
        let address = if is_service {
            let passed_on = call.headers().get(CLIENT_ADDRESS)?.to_str();
            passed_on.ok()?.parse().ok()?
        } else {
            call.extensions().get::<ClientSocket>()?.0.ip()
        };
        Some(Self::from(address))
    }
}

impl From<IpAddr> for ClientAddress {
    fn from(address: IpAddr) -> Self {
        Self(network(address))
    }
}

impl fmt::Display for ClientAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call() -> http::request::Builder {
        let socket = "[2001:db8:1:2::3]:1".parse().unwrap();
        Request::builder().extension(ClientSocket(socket))
    }

    fn address(text: &str) -> ClientAddress {
        ClientAddress::from(text.parse::<IpAddr>().unwrap())
    }

    #[test]
    fn an_ipv6_client_is_its_network_and_an_ipv4_client_its_address() {
        assert_eq!(address("2001:db8:1:2::3"), address("2001:db8:1:2:ffff::"));
        assert_ne!(address("2001:db8:1:2::3"), address("2001:db8:1:3::3"));
        assert_eq!(address("::ffff:192.0.2.1"), address("192.0.2.1"));
        assert_ne!(address("192.0.2.1"), address("192.0.2.2"));
        assert_eq!(address("2001:db8:1:2::3").to_string(), "2001:db8:1:2::");
    }

    #[test]
    fn a_service_passes_its_client_on_and_everybody_else_is_who_connects() {
        let passing_on = |text: &str| call().header(CLIENT_ADDRESS, text).body(()).unwrap();
        let of = |text: &str, is_service| ClientAddress::of(&passing_on(text), is_service);
        assert_eq!(of("192.0.2.1", true), Some(address("192.0.2.1")));
        assert_eq!(of("192.0.2.1", false), Some(address("2001:db8:1:2::")));
        assert_eq!(of("nonsense", true), None);
        assert_eq!(ClientAddress::of(&call().body(()).unwrap(), true), None);
        assert_eq!(ClientAddress::of(&Request::new(()), false), None);
    }
}
