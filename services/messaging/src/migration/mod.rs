//! The tables of messaging, a file per change.

use guildhall_data::idempotency::migration::CreateIdempotencyKeys;
use guildhall_events::{cursor::migration::CreateEventCursors, outbox::migration::CreateOutbox};
use sea_orm_migration::{
    prelude::*,
    schema::{string_len, string_len_null},
};

mod m0003_create_channels;
mod m0004_create_topics;
mod m0005_create_messages;
mod m0006_create_reactions;
mod m0007_mark_reacted_messages;
mod m0008_rekey_reactions;

/// The column of an id, 24 hex. Not `char`: PostgreSQL would compare it with a text past its index.
fn id(column: &'static str) -> ColumnDef {
    string_len(column, 24)
}

/// The column of an id that may be absent.
fn id_null(column: &'static str) -> ColumnDef {
    string_len_null(column, 24)
}

/// All migrations, in their order.
#[derive(Debug, Clone, Copy)]
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(CreateIdempotencyKeys),
            Box::new(CreateOutbox),
            Box::new(m0003_create_channels::Migration),
            Box::new(m0004_create_topics::Migration),
            Box::new(m0005_create_messages::Migration),
            Box::new(m0006_create_reactions::Migration),
            Box::new(m0007_mark_reacted_messages::Migration),
            Box::new(CreateEventCursors),
            Box::new(m0008_rekey_reactions::Migration),
        ]
    }
}
