//! Events that travel as one message: a broker's work is for the message, hardly for its length.

use std::collections::BTreeMap;

use aws_lc_rs::digest::{SHA256, digest};
use guildhall_proto::events::v1::{Event, EventBatch};
use prost::{DecodeError, Message, bytes::Bytes};

use crate::relay::window::Row;

/// Events of one message at most.
const EVENTS: usize = 128;
/// Bytes of one message, unless a single event is longer; brokers take 1 MiB by default.
const BYTES: usize = 256 * 1024;

/// Events of a partition, in their order.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Batch {
    pub partition: i16,
    /// The event's own id, or one made from those of all: the same events always have the same.
    pub id: String,
    pub payload: Bytes,
}

impl Batch {
    /// Rows by their partitions, in as few batches as they fit in.
    fn gather(rows: Vec<Row>) -> Vec<Self> {
        let mut open: BTreeMap<i16, Vec<Row>> = BTreeMap::new();
        let mut batches = Vec::new();
        for row in rows {
            let partition = row.partition;
            let gathered = open.entry(partition).or_default();
            let bytes: usize = gathered.iter().map(|it| it.payload.len()).sum();
            let is_full = gathered.len() == EVENTS || bytes + row.payload.len() > BYTES;
            if is_full && !gathered.is_empty() {
                batches.push(Self::of(partition, std::mem::take(gathered)));
            }
            gathered.push(row);
        }
        batches.extend(
            open.into_iter()
                .map(|(partition, it)| Self::of(partition, it)),
        );
        batches
    }

    /// Rows in batches, and these in waves: the first of each partition, then the second, and so on.
    /// A wave is stored before the next is sent, because a broker that refuses one batch might take
    /// the next of its partition.
    pub fn waves(rows: Vec<Row>) -> Vec<Vec<Self>> {
        let mut waves: Vec<Vec<Self>> = Vec::new();
        let mut sent: BTreeMap<i16, usize> = BTreeMap::new();
        for batch in Self::gather(rows) {
            let turn = sent.entry(batch.partition).or_default();
            match waves.get_mut(*turn) {
                Some(wave) => wave.push(batch),
                None => waves.push(vec![batch]),
            }
            *turn += 1;
        }
        waves
    }

    fn of(partition: i16, rows: Vec<Row>) -> Self {
        let ids: Vec<_> = rows.iter().map(|row| row.event_id.to_string()).collect();
        let id = match ids.as_slice() {
            [one] => one.clone(),
            many => hex::encode(digest(&SHA256, many.concat().as_bytes())),
        };
        let events = rows.into_iter().map(|row| row.payload).collect();
        Self {
            partition,
            id,
            payload: EventBatch { events }.encode_to_vec().into(),
        }
    }
}

/// The events of a message, each by itself.
pub(super) fn events(payload: Bytes) -> Result<Vec<Result<Event, DecodeError>>, DecodeError> {
    let batch = EventBatch::decode(payload)?;
    let events = batch.events.iter();
    Ok(events
        .map(|event| Event::decode(event.as_slice()))
        .collect())
}

#[cfg(test)]
mod tests {
    use guildhall_data::EventId;

    use super::*;

    fn row(position: i64, partition: i16, length: usize) -> Row {
        let event = Event {
            partition_key: "k".repeat(length),
            ..Event::default()
        };
        Row {
            position,
            event_id: EventId::generate(),
            partition,
            payload: event.encode_to_vec(),
            created_at: 0,
        }
    }

    fn lengths(batches: &[Batch], partition: i16) -> Vec<usize> {
        let of = batches.iter().filter(|it| it.partition == partition);
        of.map(|it| events(it.payload.clone()).unwrap().len())
            .collect()
    }

    #[test]
    fn rows_travel_with_those_of_their_partition_and_in_their_order() {
        let rows: Vec<_> = (0..300)
            .map(|n| row(n, (n % 2) as i16, n as usize))
            .collect();
        let batches = Batch::gather(rows);
        assert_eq!(lengths(&batches, 0), [128, 22]);
        let odd = batches.iter().filter(|it| it.partition == 1);
        let odd = odd.flat_map(|it| events(it.payload.clone()).unwrap());
        let odd: Vec<_> = odd.map(|it| it.unwrap().partition_key.len()).collect();
        assert_eq!(odd, (0..150).map(|n| n * 2 + 1).collect::<Vec<_>>());
    }

    #[test]
    fn of_each_partition_one_batch_is_sent_at_a_time() {
        let rows: Vec<_> = (0..300).map(|n| row(n, i16::from(n >= 290), 1)).collect();
        let partitions = |wave: Vec<Batch>| wave.iter().map(|it| it.partition).collect::<Vec<_>>();
        let waves: Vec<_> = Batch::waves(rows).into_iter().map(partitions).collect();
        assert_eq!(waves, [vec![0, 1], vec![0], vec![0]]);
    }

    #[test]
    fn a_message_stays_below_what_a_broker_takes_unless_an_event_does_not() {
        let rows = [100_000, 100_000, 100_000, 600_000, 10].map(|length| row(1, 3, length));
        assert_eq!(lengths(&Batch::gather(rows.into()), 3), [2, 1, 1, 1]);
    }

    #[test]
    fn the_same_events_have_the_same_id_and_others_another() {
        let rows: Vec<_> = (0..3).map(|n| row(n, 0, 1)).collect();
        let id = |rows: &[Row]| Batch::gather(rows.to_vec())[0].id.clone();
        assert_eq!(id(&rows), id(&rows));
        assert_ne!(id(&rows), id(&rows[..2]));
        assert_eq!(id(&rows[..1]), rows[0].event_id.to_string());
    }
}
