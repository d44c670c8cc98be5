//! The real platform on free ports, for tests from outside.
//!
//! * [`Platform`]: the binary itself, with a data directory of its own, ended with the test
//! * [`Cluster`]: a process per service on PostgreSQL and NATS
//! * [`Stack`]: the one or the other, as the tests are told
//! * [`SharedPlatform`]: one that another process has started for many tests
//! * [`TestDatabase`]: a database alone, for tests of a service by itself
//! * [`Postgres`], [`Nats`]: the real servers that the cluster stands on
//! * [`Smtp`]: a real mail server that takes e-mails, or refuses them as told
//! * [`receiver`]: a receiver of webhooks that answers what it is told to
//! * [`Proxy`]: a network between two of them that delays, cuts and swallows
//! * [`Rest`]: calls of the public contract
//! * [`Chance`]: random moments that can be had again
//! * [`grpc`]: calls of the services
//! * [`secret`]: what no log may show; every process's log is searched for it
//!
//! Nothing here knows a crate of the services: what a test sees is what users get.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a fixture that fails must fail its test, with a backtrace"
)]

mod account;
mod chance;
mod cleanup;
pub mod cluster;
pub mod demo;
mod folder;
pub mod grpc;
pub mod nats;
pub mod platform;
mod port;
pub mod postgres;
mod process;
mod program;
pub mod proxy;
pub mod receiver;
pub mod rest;
pub mod secret;
mod service;
pub mod shared;
pub mod smtp;
pub mod stack;
pub mod test_database;

pub use chance::{Chance, kills};
pub use cluster::{Cluster, Plan, Replicas};
pub use demo::{Bootstrapped, Demo};
pub use nats::Nats;
pub use platform::{Options, Platform};
pub use port::free as free_port;
pub use postgres::Postgres;
pub use program::python_packages;
pub use proxy::{Mode, Proxy, When};
pub use rest::{Answer, Call, Rest};
pub use service::{Service, help, output, process_of};
pub use shared::SharedPlatform;
pub use smtp::Smtp;
pub use stack::{Shape, Stack};
pub use test_database::TestDatabase;
