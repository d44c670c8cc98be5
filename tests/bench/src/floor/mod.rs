//! The floors: what the same work costs without us.

pub mod auth;
pub mod hop;
pub mod pgbench;
pub mod posts;
pub mod sink;
pub mod sqlite;
pub mod tables;
