//! What members, integrators and operators do, step by step.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a step that fails fails its test"
)]

mod both;
mod browsers;
mod dashboards;
mod expired_token;
mod logs;
mod memory;
mod metrics;
mod one_process;
mod operator;
mod readme;
mod secrets;
mod settings;
mod startup;
mod tls;
mod traces;
