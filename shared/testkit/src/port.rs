//! Ports that outlive a restart.

use std::{
    hash::{BuildHasher, RandomState},
    net::{Ipv4Addr, SocketAddr, TcpListener},
};

/// Below the ports that systems give to outgoing connections (Linux: from 32768, macOS: from
/// 49152): there, a client that retries while the server is dead can take its port, or even
/// connect to itself.
const RANGE: std::ops::Range<u16> = 20_000..32_000;

/// An address on this machine that nobody listens on, and whose port no outgoing connection gets.
#[must_use]
pub fn free() -> SocketAddr {
    let width = u64::from(RANGE.end - RANGE.start);
    let candidate = |_| {
        let offset = RandomState::new().hash_one(std::process::id()) % width;
        let port = RANGE.start + u16::try_from(offset).ok()?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        TcpListener::bind(address).ok().map(|_| address)
    };
    (0..1_000).find_map(candidate).expect("a free port")
}
