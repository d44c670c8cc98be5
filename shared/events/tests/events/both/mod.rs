//! What runs on SQLite and on PostgreSQL.

mod relay;
mod streams;
