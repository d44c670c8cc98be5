//! How much of the outbox waits, for the operator.
//!
//! Readers record their position every few seconds, so a lag of a few seconds is no sign of trouble.

use std::{
    sync::{Arc, LazyLock},
    time::Duration,
};

use futures::FutureExt;
use guildhall_data::{Database, failed};
use guildhall_runtime::{
    Result, Timestamp,
    metrics::{self, Gauges, Sampler},
};
use guildhall_signals::Retention;
use parking_lot::Mutex;
use sea_orm::{QueryOrder, QuerySelect, entity::prelude::*, sea_query::Order};
use tokio::time::Instant;

use crate::{
    cursor,
    outbox::entity::{Column, Entity},
};

/// How long a look is good for, however often the figures are read.
const LIFE: Duration = Duration::from_secs(5);

static LAG: LazyLock<Gauges> = LazyLock::new(|| {
    metrics::gauges(
        "guildhall_outbox_lag_seconds",
        "Age of the oldest event that some reader does not have yet, as far as is recorded: a few \
         seconds are normal",
    )
});
static ROWS: LazyLock<Gauges> = LazyLock::new(|| {
    metrics::gauges(
        "guildhall_outbox_rows",
        "Events that wait, about: the distance from the first to the last",
    )
});

/// Measures the outbox of `service` whenever metrics are read, until the answer is dropped.
#[must_use]
pub fn measured(database: &Database, service: &str, retention: Retention) -> Sampler {
    let labels = vec![("service", service.to_owned())];
    let lag = LAG.get_or_create_owned(&labels);
    let rows = ROWS.get_or_create_owned(&labels);
    let (database, looked_at) = (database.clone(), Arc::new(Mutex::new(None::<Instant>)));
    metrics::sampled(move || {
        let (database, lag, rows) = (database.clone(), lag.clone(), rows.clone());
        let looked_at = Arc::clone(&looked_at);
        async move {
            if looked_at.lock().is_some_and(|at| at.elapsed() < LIFE) {
                return;
            }
            // While the database is away, the figures stay as they were.
            if let Ok(backlog) = Backlog::of(&database, retention).await {
                lag.set(backlog.seconds);
                rows.set(backlog.rows);
                *looked_at.lock() = Some(Instant::now());
            }
        }
        .boxed()
    })
}

struct Backlog {
    seconds: i64,
    rows: i64,
}

impl Backlog {
    /// Two looks at an index, however many rows there are.
    async fn of(database: &Database, retention: Retention) -> Result<Self> {
        let abandoned = Timestamp::now().minus(retention.of_events()).as_millis();
        let cursors = cursor::all(database).await?;
        let readers = cursors.iter().filter(|it| it.leased_until >= abandoned);
        let done = readers.map(|it| it.position).min().unwrap_or(0);
        let first = end(database, done, Order::Asc).await?;
        let last = end(database, done, Order::Desc).await?;
        let Some(((first, created_at), (last, _))) = first.zip(last) else {
            return Ok(Self {
                seconds: 0,
                rows: 0,
            });
        };
        let age = Timestamp::now().as_millis() - created_at;
        Ok(Self {
            seconds: (age / 1000).max(0),
            rows: last - first + 1,
        })
    }
}

/// The position of the row at one end of those after `done`, and when it was written.
#[expect(
    clippy::disallowed_methods,
    reason = "an operator's figure knows no community"
)]
async fn end(database: &Database, done: i64, order: Order) -> Result<Option<(i64, i64)>> {
    let row = Entity::find()
        .select_only()
        .columns([Column::Position, Column::CreatedAt])
        .filter(Column::Position.gt(done))
        .order_by(Column::Position, order)
        .limit(1)
        .into_tuple()
        .one(database.reader())
        .await;
    row.map_err(failed)
}
