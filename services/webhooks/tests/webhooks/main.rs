//! Webhooks as their callers and receivers meet them, on a real database.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a step that fails fails its test"
)]

mod both;
mod fixture;
