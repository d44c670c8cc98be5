//! The tables of webhooks, a file per change.

use guildhall_data::idempotency::migration::CreateIdempotencyKeys;
use guildhall_events::outbox::migration::CreateOutbox;
use sea_orm_migration::{prelude::*, schema::string_len};

mod m0003_create_outgoing_webhooks;
mod m0004_create_deliveries;

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
            Box::new(m0003_create_outgoing_webhooks::Migration),
            Box::new(m0004_create_deliveries::Migration),
        ]
    }
}
