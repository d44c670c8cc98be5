//! How far each reader of an outbox has come, and which process reads for it now.
//!
//! A lease keeps two processes from doing the same work at the same time. Nothing depends on it but
//! speed and order: what is read twice is dropped by the stream and by the inbox.

use std::time::Duration;

use guildhall_data::{Backend, Database, failed};
use guildhall_runtime::Result;
use sea_orm::{ActiveValue::Set, ExprTrait, entity::prelude::*, sea_query::SimpleExpr};

use self::entity::{ActiveModel, Column, Entity, Model};

/// How long a lease holds without being renewed.
pub(crate) const LEASE: Duration = Duration::from_secs(10);

/// The table `event_cursors` (see [`migration`]).
pub mod entity {
    use super::*;

    /// How far a reader has come in a partition.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "event_cursors")]
    pub struct Model {
        /// Who reads: `nats`, or the consumer in the process.
        #[sea_orm(primary_key, auto_increment = false)]
        pub reader: String,
        /// The partition, 0 to 15.
        #[sea_orm(primary_key, auto_increment = false)]
        pub partition: i16,
        /// The process that reads, by a name that it chose at random; empty when none does.
        pub owner: String,
        /// Until when it does, in milliseconds of the database's clock.
        pub leased_until: i64,
        /// All positions up to here are delivered.
        pub position: i64,
        /// Which stream they were delivered to; empty for none.
        pub stream: String,
        /// The stream's sequence at that time.
        pub sequence: i64,
    }

    /// None: rows stand alone.
    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// The table's migration, for the list of a service's migrations.
pub mod migration {
    use sea_orm_migration::{prelude::*, schema::*};

    /// Makes the table `event_cursors`.
    #[derive(Debug, Clone, Copy)]
    pub struct CreateEventCursors;

    impl MigrationName for CreateEventCursors {
        fn name(&self) -> &str {
            "events_0001_create_event_cursors"
        }
    }

    #[async_trait::async_trait]
    impl MigrationTrait for CreateEventCursors {
        fn use_transaction(&self) -> Option<bool> {
            Some(true)
        }

        async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
            let column = Alias::new;
            manager
                .create_table(
                    Table::create()
                        .table(column("event_cursors"))
                        .col(string_len(column("reader"), 64))
                        .col(small_integer(column("partition")))
                        .col(string_len(column("owner"), 24))
                        .col(big_integer(column("leased_until")))
                        .col(big_integer(column("position")))
                        .col(string_len(column("stream"), 64))
                        .col(big_integer(column("sequence")))
                        .primary_key(
                            Index::create()
                                .col(column("reader"))
                                .col(column("partition")),
                        )
                        .to_owned(),
                )
                .await
        }
    }
}

/// Where a stream stands: by it is noticed that the stream was made anew, or has lost its end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Mark {
    /// What tells this stream from another of its name; empty for what is no stream.
    pub stream: String,
    /// Its last sequence.
    pub sequence: i64,
}

impl Mark {
    /// Where the stream stood when the cursor was saved.
    pub fn of(cursor: &Model) -> Self {
        Self {
            stream: cursor.stream.clone(),
            sequence: cursor.sequence,
        }
    }

    /// Whether all that was delivered up to `then` is still there.
    pub fn keeps(&self, then: &Self) -> bool {
        then.stream.is_empty() || (self.stream == then.stream && self.sequence >= then.sequence)
    }
}

/// The partitions that one reader reads, and the process for which it does.
#[derive(Debug, Clone)]
pub(crate) struct Leases {
    pub database: Database,
    pub reader: String,
    pub partitions: i16,
    /// The name of this process.
    pub owner: String,
}

impl Leases {
    /// Makes the rows that are missing.
    pub async fn prepare(&self) -> Result<()> {
        let rows = (0..self.partitions).map(|partition| ActiveModel {
            reader: Set(self.reader.clone()),
            partition: Set(partition),
            owner: Set(String::new()),
            leased_until: Set(0),
            position: Set(0),
            stream: Set(String::new()),
            sequence: Set(0),
        });
        let transaction = self.database.begin().await?;
        Entity::insert_many(rows)
            .on_conflict_do_nothing()
            .exec_without_returning(&transaction)
            .await
            .map_err(failed)?;
        Database::commit(transaction).await
    }

    /// Takes all that is free, and goes on holding what is held; answers what is held now.
    #[expect(clippy::disallowed_methods, reason = "a cursor has no community")]
    pub async fn take(&self) -> Result<Vec<Model>> {
        let has_ended = Expr::col(Column::LeasedUntil).lt(self.now());
        // Nobody leases for so long: the clock was set back since.
        let lies_ahead = Expr::col(Column::LeasedUntil).gt(self.now().add(millis(LEASE * 2)));
        let transaction = self.database.begin().await?;
        let taken = Entity::update_many()
            .col_expr(Column::Owner, Expr::val(self.owner.clone()))
            .col_expr(Column::LeasedUntil, self.now().add(millis(LEASE)))
            .filter(Column::Reader.eq(&self.reader))
            .filter(Column::Owner.eq(&self.owner).or(has_ended).or(lies_ahead))
            .exec_with_returning(&transaction)
            .await
            .map_err(failed)?;
        Database::commit(transaction).await?;
        Ok(taken)
    }

    /// Records how far the partitions that are still held have come.
    #[expect(clippy::disallowed_methods, reason = "a cursor has no community")]
    pub async fn save(&self, partitions: &[i16], position: i64, mark: &Mark) -> Result<()> {
        let transaction = self.database.begin().await?;
        Entity::update_many()
            .col_expr(Column::Position, Expr::val(position))
            .col_expr(Column::Stream, Expr::val(mark.stream.clone()))
            .col_expr(Column::Sequence, Expr::val(mark.sequence))
            .filter(Column::Reader.eq(&self.reader))
            .filter(Column::Owner.eq(&self.owner))
            .filter(Column::Partition.is_in(partitions.iter().copied()))
            .exec(&transaction)
            .await
            .map_err(failed)?;
        Database::commit(transaction).await
    }

    /// Lets another process go on at once.
    #[expect(clippy::disallowed_methods, reason = "a cursor has no community")]
    pub async fn release(&self) -> Result<()> {
        let transaction = self.database.begin().await?;
        Entity::update_many()
            .col_expr(Column::Owner, Expr::val(""))
            .col_expr(Column::LeasedUntil, Expr::val(0))
            .filter(Column::Reader.eq(&self.reader))
            .filter(Column::Owner.eq(&self.owner))
            .exec(&transaction)
            .await
            .map_err(failed)?;
        Database::commit(transaction).await
    }

    /// The database's clock: those of the processes may differ.
    fn now(&self) -> SimpleExpr {
        Expr::cust(match self.database.backend() {
            Backend::Sqlite => "CAST(unixepoch('subsec') * 1000 AS INTEGER)",
            Backend::Postgres => "CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint)",
        })
    }
}

/// How far each reader has come in each partition.
///
/// # Errors
/// When the query fails.
#[expect(
    clippy::disallowed_methods,
    reason = "a reader reads for all communities"
)]
pub(crate) async fn all(database: &Database) -> Result<Vec<Model>> {
    let cursors = Entity::find().all(database.reader()).await;
    cursors.map_err(failed)
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
