//! Identity as its callers meet it: through its gRPC services behind the access layer, on a real
//! database.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a fixture that fails must fail its test, with a backtrace"
)]

mod both;
mod fixture;
mod revocation;
mod revoked_tokens;
