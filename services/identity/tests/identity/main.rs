//! Identity as its callers meet it: through its gRPC services behind the access layer, on a real
//! database.
#![allow(
    clippy::unwrap_used,
    reason = "a fixture that fails must fail its test, with a backtrace"
)]

mod directory;
mod fixture;
mod keys;
mod login;
mod operator;
