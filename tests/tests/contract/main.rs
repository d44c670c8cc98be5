//! What the contract promises of every operation: who is let in, what is refused, and how it is told.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a step that fails fails its test"
)]

mod both;
mod endpoints;
