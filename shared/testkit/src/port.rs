//! Ports that outlive a restart.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    process,
    sync::atomic::{AtomicU32, Ordering},
};

/// Below the ports that systems give to outgoing connections (Linux: from 32768, macOS: from
/// 49152): there, a client that retries while the server is dead can take its port, or even
/// connect to itself.
const RANGE: std::ops::Range<u16> = 20_000..32_000;
/// Ports that a process looks at before those of another: a port is free until it is listened on,
/// and two tests that run at once must not be given the same.
const OF_A_PROCESS: u32 = 60;

static NEXT: AtomicU32 = AtomicU32::new(0);

/// An address on this machine that nobody listens on, and whose port no outgoing connection gets.
#[must_use]
pub fn free() -> SocketAddr {
    let width = u32::from(RANGE.end - RANGE.start);
    let first = process::id().wrapping_mul(OF_A_PROCESS);
    let candidate = |_| {
        let offset = first.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % width;
        let port = RANGE.start + u16::try_from(offset).ok()?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        TcpListener::bind(address).ok().map(|_| address)
    };
    (0..1_000).find_map(candidate).expect("a free port")
}
