//! The tables of identity, a file per change, never edited once it has landed. Those that ask for a
//! transaction are older than `Database::open`, which gives one to every migration.

mod m0002_create_communities;
mod m0003_create_users;
mod m0004_create_api_keys;
mod m0005_create_signing_keys;
mod m0006_create_login_attempts;
mod m0007_fold_names;

use guildhall_data::{
    idempotency::migration::CreateIdempotencyKeys, quota::migration::CreateQuotas,
    seal::upgrade::migration::CreateSealUpgrades,
};
use guildhall_events::{cursor::migration::CreateEventCursors, outbox::migration::CreateOutbox};
use sea_orm_migration::prelude::*;

/// All changes, in their order.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(CreateIdempotencyKeys),
            Box::new(m0002_create_communities::Migration),
            Box::new(m0003_create_users::Migration),
            Box::new(m0004_create_api_keys::Migration),
            Box::new(m0005_create_signing_keys::Migration),
            Box::new(m0006_create_login_attempts::Migration),
            Box::new(CreateOutbox),
            Box::new(CreateEventCursors),
            Box::new(CreateQuotas),
            Box::new(m0007_fold_names::Migration),
            Box::new(CreateSealUpgrades),
        ]
    }
}
