//! Peers over the network, against real servers on free ports of this machine.
#![allow(
    clippy::unwrap_used,
    reason = "a fixture that fails must fail its test, with a backtrace"
)]

mod fixture;
mod repeats;
mod restarts;
mod silence;
mod tls;
