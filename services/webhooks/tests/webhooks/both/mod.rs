//! What runs on SQLite and on PostgreSQL.

mod deliveries;
mod failures;
mod inspection;
mod management;
mod replicas;
mod sealed;
