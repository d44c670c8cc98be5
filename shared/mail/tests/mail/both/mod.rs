//! What runs on SQLite and on PostgreSQL.

mod mailer;
mod tls;
