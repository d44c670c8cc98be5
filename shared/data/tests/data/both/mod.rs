//! What runs on SQLite and on PostgreSQL.

mod database;
mod page;
mod quota;
mod tenancy;
