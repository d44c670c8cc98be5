//! What runs on SQLite and on PostgreSQL.

mod database;
