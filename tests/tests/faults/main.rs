//! Processes that die, networks that are cut, brokers and disks that are away. `make faults` runs
//! them, one at a time.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a step that fails fails its test"
)]

mod broker;
mod event_faults;
mod floods;
mod flushes;
mod kills;
mod misfits;
mod network_database;
mod network_services;
mod replicas;
mod revocation;
mod rolling;
