//! E-mails on their way from the table to a real mail server, or into a directory.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a fixture that fails must fail its test"
)]

mod both;
mod fixture;
