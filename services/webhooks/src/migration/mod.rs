//! The tables of webhooks, a file per change.

use guildhall_data::{
    idempotency::migration::CreateIdempotencyKeys, seal::upgrade::migration::CreateSealUpgrades,
};
use guildhall_events::{
    consumer::migration::CreateInbox, cursor::migration::CreateEventCursors,
    outbox::migration::CreateOutbox,
};
use guildhall_mail::migration::CreateMails;
use sea_orm_migration::{prelude::*, schema::string_len};

mod m0003_create_outgoing_webhooks;
mod m0004_create_deliveries;
mod m0005_create_quotas;
mod m0006_create_incoming_webhooks;
mod m0007_create_workflows;
mod m0008_keep_attempts;
mod m0009_compare_addresses;
mod m0010_count_workflow_bytes;

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
            Box::new(CreateMails),
            Box::new(m0003_create_outgoing_webhooks::Migration),
            Box::new(m0004_create_deliveries::Migration),
            Box::new(m0005_create_quotas::Migration),
            Box::new(m0006_create_incoming_webhooks::Migration),
            Box::new(m0007_create_workflows::Migration),
            Box::new(m0008_keep_attempts::Migration),
            Box::new(m0009_compare_addresses::Migration),
            Box::new(m0010_count_workflow_bytes::Migration),
            Box::new(CreateSealUpgrades),
        ]
    }
}
