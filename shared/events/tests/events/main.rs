//! Events on real databases and a real NATS server.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a step that fails fails its test"
)]

mod both;
mod faults;
mod ledger;
mod load;
mod pipeline;
mod subprocess;
