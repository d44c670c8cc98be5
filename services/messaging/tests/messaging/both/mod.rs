//! What runs on SQLite and on PostgreSQL.

mod append;
mod channels;
mod listing;
mod moments;
mod reactions;
mod topics;
