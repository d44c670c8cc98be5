//! What runs on SQLite and on PostgreSQL.

mod directory;
mod keys;
mod login;
mod login_limits;
mod names;
mod operator;
