//! The real platform on free ports, for tests from outside.
//!
//! * [`Platform`]: the binary itself, with a data directory of its own, ended with the test
//! * [`Rest`]: calls of the public contract
//! * [`grpc`]: calls of the services
//!
//! Nothing here knows a crate of the services: what a test sees is what users get.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a fixture that fails must fail its test, with a backtrace"
)]

pub mod demo;
pub mod grpc;
pub mod platform;
pub mod rest;

pub use demo::{Community, Demo};
pub use platform::{Options, Platform};
pub use rest::{Answer, Call, Rest};
