//! What runs on SQLite and on PostgreSQL.

mod directory;
mod keys;
mod login;
mod names;
mod operator;
