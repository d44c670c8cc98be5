//! The database, the idempotency table, group commits and the sweeper on a real SQLite file or
//! PostgreSQL server.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a step that fails fails its test"
)]

mod both;
mod ended;
mod file;
mod fixture;
mod migrations;
mod notes;
mod postgres;
mod wal;
