//! What runs on SQLite and on PostgreSQL.

mod deliveries;
mod failures;
mod management;
mod replicas;
