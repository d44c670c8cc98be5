//! The store of messaging on a real database, and its live streams on a real NATS server.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a step that fails fails its test"
)]

mod both;
mod fixture;
mod new_messages;
