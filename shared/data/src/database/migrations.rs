//! A migration is done whole or not at all, whatever it says of itself.
//!
//! SeaORM runs migrations without a transaction on SQLite unless each asks for one; half a
//! migration would keep the service from ever starting again. Here all of them get one, and the note
//! that a migration is done is part of it.

use std::marker::PhantomData;

use async_trait::async_trait;
use sea_orm::{DbErr, DynIden};
use sea_orm_migration::{MigrationName, MigrationTrait, MigratorTrait, SchemaManager};

/// The migrations of `M`, each in a transaction.
pub(super) struct Atomic<M>(PhantomData<M>);

impl<M: MigratorTrait> MigratorTrait for Atomic<M> {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        let in_transaction = |migration| Box::new(InTransaction(migration)) as Box<_>;
        M::migrations().into_iter().map(in_transaction).collect()
    }

    fn migration_table_name() -> DynIden {
        M::migration_table_name()
    }
}

struct InTransaction(Box<dyn MigrationTrait>);

impl MigrationName for InTransaction {
    fn name(&self) -> &str {
        self.0.name()
    }
}

#[async_trait]
impl MigrationTrait for InTransaction {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        self.0.up(manager).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        self.0.down(manager).await
    }
}
