//! Which events of an outbox are new.
//!
//! On PostgreSQL positions are given before transactions end: a row may appear below others that
//! were read before. So a position that is missing is a gap, and is looked at again until nobody
//! can fill it any more: until all who wrote to the outbox when it was seen have ended.

use std::collections::HashSet;

use guildhall_data::{Backend, Database, EventId, failed};
use guildhall_runtime::Result;
use sea_orm::{
    Condition, ConnectionTrait, FromQueryResult, QueryOrder, QuerySelect, Statement,
    entity::prelude::*,
};

use crate::outbox::entity::{Column, Entity};

/// Rows that are read at once.
pub(crate) const ROWS: u64 = 1024;
/// Gaps that are looked at; with more of them nothing further is read.
const MAX_GAPS: usize = 256;

/// Every writer to the outbox holds this lock until the end of its transaction.
const WRITERS: &str = "SELECT virtualtransaction FROM pg_locks \
     WHERE locktype = 'relation' AND mode = 'RowExclusiveLock' AND granted \
     AND relation = CAST('outbox' AS regclass) \
     AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";

/// An event as it lies in the outbox.
#[derive(Debug, Clone, FromQueryResult)]
pub(crate) struct Row {
    pub position: i64,
    pub event_id: EventId,
    pub partition: i16,
    pub payload: Vec<u8>,
    pub created_at: i64,
}

/// Positions that were missing between others.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Gap {
    first: i64,
    last: i64,
    /// Who may still fill it; none until that was asked.
    writers: Option<HashSet<String>>,
}

/// How far an outbox was read.
#[derive(Debug, Clone, Default)]
pub(crate) struct Window {
    /// The highest position that was read.
    head: i64,
    gaps: Vec<Gap>,
}

impl Window {
    /// Everything up to `position` is done.
    pub fn after(position: i64) -> Self {
        Self {
            head: position,
            gaps: Vec::new(),
        }
    }

    /// Up to here nothing can appear any more.
    pub fn settled(&self) -> i64 {
        let first = self.gaps.first();
        first.map_or(self.head, |gap| gap.first - 1)
    }

    /// Whether a row may appear without anybody being told.
    pub fn has_holes(&self) -> bool {
        !self.gaps.is_empty()
    }

    /// The rows that are new, in the order of their positions, and the window after them.
    pub async fn read(&self, database: &Database) -> Result<(Vec<Row>, Self)> {
        let rows = self.new_rows(database).await?;
        let mut next = self.clone();
        for row in &rows {
            next.saw(row.position);
        }
        if database.backend() == Backend::Sqlite {
            // One transaction writes at a time: what is missing was deleted.
            next.gaps.clear();
        } else if next.has_holes() {
            // Asked after the rows were read: whoever has ended in between is seen by the next.
            next.watch(&writers(database).await?);
        }
        Ok((rows, next))
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "events of all communities are passed on"
    )]
    async fn new_rows(&self, database: &Database) -> Result<Vec<Row>> {
        let mut wanted = Condition::any();
        if self.gaps.len() < MAX_GAPS {
            wanted = wanted.add(Column::Position.gt(self.head));
        }
        for gap in &self.gaps {
            wanted = wanted.add(Column::Position.between(gap.first, gap.last));
        }
        // The bound keeps the search in the index off what is done.
        Entity::find()
            .select_only()
            .columns([
                Column::Position,
                Column::EventId,
                Column::Partition,
                Column::Payload,
                Column::CreatedAt,
            ])
            .filter(Column::Position.gt(self.settled()))
            .filter(wanted)
            .order_by_asc(Column::Position)
            .limit(ROWS)
            .into_model()
            .all(database.reader())
            .await
            .map_err(failed)
    }

    fn saw(&mut self, position: i64) {
        if position <= self.head {
            self.fill(position);
            return;
        }
        if position > self.head + 1 {
            self.gaps.push(Gap {
                first: self.head + 1,
                last: position - 1,
                writers: None,
            });
        }
        self.head = position;
    }

    fn fill(&mut self, position: i64) {
        let within = |gap: &Gap| (gap.first..=gap.last).contains(&position);
        let Some(index) = self.gaps.iter().position(within) else {
            return;
        };
        let gap = self.gaps.remove(index);
        let part = |first, last| Gap {
            first,
            last,
            writers: gap.writers.clone(),
        };
        let parts = [part(gap.first, position - 1), part(position + 1, gap.last)];
        let parts = parts.into_iter().filter(|part| part.first <= part.last);
        self.gaps.splice(index..index, parts);
    }

    /// Forgets the gaps that nobody who writes now could fill, and that were looked at since the
    /// last who could has ended.
    fn watch(&mut self, writing: &HashSet<String>) {
        self.gaps.retain_mut(|gap| match &mut gap.writers {
            None => {
                gap.writers = Some(writing.clone());
                true
            }
            Some(writers) if writers.is_empty() => false,
            Some(writers) => {
                writers.retain(|writer| writing.contains(writer));
                true
            }
        });
    }
}

async fn writers(database: &Database) -> Result<HashSet<String>> {
    let statement = Statement::from_string(Backend::Postgres.into(), WRITERS);
    let rows = database.reader().query_all_raw(statement).await;
    let rows = rows.map_err(failed)?;
    let names = rows.iter().map(|row| row.try_get_by_index::<String>(0));
    names.collect::<Result<_, _>>().map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(names: &[&str]) -> HashSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn window(positions: &[i64]) -> Window {
        let mut window = Window::default();
        for position in positions {
            window.saw(*position);
        }
        window
    }

    #[test]
    fn what_follows_without_a_gap_is_settled() {
        let window = window(&[1, 2, 3]);
        assert_eq!((window.settled(), window.has_holes()), (3, false));
    }

    #[test]
    fn a_hole_stays_until_all_who_may_fill_it_have_ended_and_it_was_looked_at_again() {
        let mut window = window(&[1, 4]);
        window.watch(&set(&["a", "b"]));
        assert_eq!(window.settled(), 1);
        window.watch(&set(&["b", "c"]));
        window.watch(&set(&["c"]));
        assert_eq!(
            window.settled(),
            1,
            "the last has ended since the rows were read"
        );
        window.watch(&set(&["c"]));
        assert_eq!(window.settled(), 4);
    }

    #[test]
    fn a_row_that_appears_late_leaves_the_rest_of_its_hole() {
        let mut window = window(&[1, 6]);
        window.watch(&set(&["a"]));
        window.saw(3);
        assert_eq!(window.settled(), 1);
        window.saw(2);
        assert_eq!(window.settled(), 3);
        window.saw(5);
        window.saw(4);
        assert_eq!((window.settled(), window.has_holes()), (6, false));
    }
}
