//! The tables of webhooks, a file per change.

use guildhall_data::idempotency::migration::CreateIdempotencyKeys;
use guildhall_events::{
    consumer::migration::CreateInbox, cursor::migration::CreateEventCursors,
    outbox::migration::CreateOutbox,
};
use sea_orm_migration::{prelude::*, schema::string_len};

mod m0010_create_quotas;
mod m0011_create_incoming_webhooks;
mod m0012_create_workflows;

/// The column of an id, 24 hex. Not `char`: PostgreSQL would compare it with a text past its index.
fn id(column: &'static str) -> ColumnDef {
    string_len(column, 24)
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
            Box::new(CreateEventCursors),
            Box::new(CreateInbox),
            Box::new(m0010_create_quotas::Migration),
            Box::new(m0011_create_incoming_webhooks::Migration),
            Box::new(m0012_create_workflows::Migration),
        ]
    }
}
