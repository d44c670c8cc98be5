//! Where a client connects from.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// The bits of an IPv6 address that tell one client from another: whoever has one address has all
/// of its /64.
const NETWORK: u128 = !(u64::MAX as u128);

/// The client's address, an extension of each request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientSocket(pub SocketAddr);

/// What counts as one client: all of an IPv4 address, and the /64 of an IPv6 address.
#[must_use]
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & NETWORK).into(),
    }
}
