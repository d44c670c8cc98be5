//! The tables of webhooks, a file per change.

use guildhall_data::idempotency::migration::CreateIdempotencyKeys;
use guildhall_events::{
    consumer::migration::CreateInbox, cursor::migration::CreateEventCursors,
    outbox::migration::CreateOutbox,
};
use sea_orm_migration::prelude::*;

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
        ]
    }
}
