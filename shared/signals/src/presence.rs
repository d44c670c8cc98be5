//! Which processes publish signals, and whether everything they publish is received.

use std::{collections::HashMap, time::Duration};

use guildhall_proto::events::v1::SignalBatch;
use tokio::time::Instant;

/// How long a publisher may be silent; each publishes four times a second.
pub(crate) const SILENCE: Duration = Duration::from_millis(750);
/// How long a silent publisher counts as missing before it counts as gone.
const MISSING: Duration = Duration::from_secs(600);
/// The most publishers; more cannot be followed.
const MAX_PUBLISHERS: usize = 1024;

/// All publishers whose signals a process receives.
#[derive(Debug)]
pub(crate) struct Publishers {
    /// Services of which at least one publisher must be there.
    required: Vec<&'static str>,
    by_name: HashMap<String, Publisher>,
}

#[derive(Debug)]
struct Publisher {
    service: &'static str,
    /// Of its last batch with signals.
    number: u64,
    /// When its last batch was sent, in microseconds of its own clock.
    sent_micros: u64,
    last_seen: Instant,
    lagging: bool,
    leaving: bool,
}

impl Publishers {
    /// Nobody is there yet; of each `required` service one must be.
    pub(crate) fn new(required: Vec<&'static str>) -> Self {
        Self {
            required,
            by_name: HashMap::new(),
        }
    }

    /// Whether a batch is not later than the last of its publisher: somebody sends it again.
    pub(crate) fn is_repeated(&self, batch: &SignalBatch) -> bool {
        let publisher = self.by_name.get(&batch.publisher);
        publisher.is_some_and(|publisher| batch.sent_micros <= publisher.sent_micros)
    }

    /// Notes a batch of a publisher of `service`; whether an earlier one was missed.
    pub(crate) fn receive(
        &mut self,
        service: &'static str,
        batch: &SignalBatch,
        now: Instant,
    ) -> bool {
        let before = match self.by_name.get(&batch.publisher) {
            Some(publisher) => publisher.number,
            // It cannot be followed: whatever it publishes may be missed.
            None if self.by_name.len() >= MAX_PUBLISHERS => return true,
            None => 0,
        };
        let publisher = Publisher {
            service,
            number: batch.number,
            sent_micros: batch.sent_micros,
            last_seen: now,
            lagging: batch.lagging,
            leaving: batch.leaving,
        };
        self.by_name.insert(batch.publisher.clone(), publisher);
        batch.number != before + u64::from(!batch.signals.is_empty())
    }

    /// Until when all of them count as present; none when one already does not.
    pub(crate) fn present_until(&self) -> Option<Instant> {
        let complete = self.required.iter().all(|required| {
            let mut services = self.by_name.values().map(|publisher| publisher.service);
            services.any(|service| service == *required)
        });
        if !complete
            || self.by_name.len() >= MAX_PUBLISHERS
            || self.by_name.values().any(|publisher| publisher.lagging)
        {
            return None;
        }
        let last_seen = self.by_name.values().map(|publisher| publisher.last_seen);
        // Alone on the bus, nobody can be missed for as long as the bus itself works.
        Some(last_seen.min().unwrap_or_else(Instant::now) + SILENCE)
    }

    /// Removes who has left, and who was silent for so long that they must be gone; whether anybody
    /// was removed: their last signals may have been missed.
    pub(crate) fn remove_silent(&mut self, now: Instant) -> bool {
        let before = self.by_name.len();
        self.by_name.retain(|_, publisher| {
            let patience = if publisher.leaving { SILENCE } else { MISSING };
            now < publisher.last_seen + patience
        });
        self.by_name.len() < before
    }
}

#[cfg(test)]
mod tests {
    use guildhall_proto::events::v1::Signal;

    use super::*;

    fn batch(publisher: &str, number: u64, signals: usize) -> SignalBatch {
        SignalBatch {
            publisher: publisher.to_owned(),
            number,
            signals: vec![Signal::default(); signals],
            ..SignalBatch::default()
        }
    }

    fn heartbeat(publisher: &str, number: u64) -> SignalBatch {
        batch(publisher, number, 0)
    }

    #[test]
    fn a_gap_is_noticed_at_the_next_batch_or_heartbeat() {
        let (mut all, now) = (Publishers::new(Vec::new()), Instant::now());
        assert!(!all.receive("identity", &heartbeat("a", 0), now), "new");
        assert!(!all.receive("identity", &batch("a", 1, 2), now));
        assert!(!all.receive("identity", &heartbeat("a", 1), now));
        assert!(!all.receive("identity", &batch("a", 2, 1), now));
        assert!(all.receive("identity", &batch("a", 4, 1), now), "3 is lost");
        assert!(
            all.receive("identity", &heartbeat("a", 5), now),
            "5 is lost"
        );
        assert!(!all.receive("identity", &heartbeat("a", 5), now));
    }

    #[test]
    fn what_was_published_before_a_publisher_was_known_was_missed() {
        let (mut all, now) = (Publishers::new(Vec::new()), Instant::now());
        assert!(!all.receive("identity", &batch("fresh", 1, 1), now));
        assert!(all.receive("identity", &batch("old", 2, 1), now));
        assert!(all.receive("identity", &heartbeat("older", 7), now));
    }

    #[test]
    fn silence_ends_presence() {
        let (mut all, start) = (Publishers::new(Vec::new()), Instant::now());
        all.receive("identity", &heartbeat("a", 0), start);
        let later = start + Duration::from_millis(250);
        all.receive("identity", &heartbeat("b", 0), later);
        assert_eq!(all.present_until(), Some(start + SILENCE));
        all.receive("identity", &heartbeat("a", 0), later);
        assert_eq!(all.present_until(), Some(later + SILENCE));
    }

    #[test]
    fn a_lagging_publisher_is_not_relied_on() {
        let (mut all, now) = (Publishers::new(Vec::new()), Instant::now());
        let lagging = SignalBatch {
            lagging: true,
            ..heartbeat("a", 0)
        };
        all.receive("identity", &lagging, now);
        assert_eq!(all.present_until(), None);
        all.receive("identity", &heartbeat("a", 0), now);
        assert!(all.present_until().is_some());
    }

    #[test]
    fn a_publisher_of_each_required_service_must_be_present() {
        let (mut all, now) = (Publishers::new(vec!["identity"]), Instant::now());
        all.receive("messaging", &heartbeat("m", 0), now);
        assert_eq!(all.present_until(), None);
        all.receive("identity", &heartbeat("i", 0), now);
        assert!(all.present_until().is_some());
    }

    #[test]
    fn who_leaves_is_removed_at_once_and_who_dies_after_ten_minutes() {
        let (mut all, start) = (Publishers::new(Vec::new()), Instant::now());
        all.receive("identity", &heartbeat("dead", 0), start);
        let leaving = SignalBatch {
            leaving: true,
            ..heartbeat("gone", 0)
        };
        all.receive("identity", &leaving, start);
        assert!(!all.remove_silent(start));
        assert!(all.remove_silent(start + SILENCE), "one has left");
        assert_eq!(all.present_until(), Some(start + SILENCE), "one is missing");
        assert!(all.remove_silent(start + MISSING));
        assert!(all.by_name.is_empty());
    }

    #[test]
    fn strangers_do_not_fill_the_memory() {
        let (mut all, now) = (Publishers::new(Vec::new()), Instant::now());
        for number in 0..=MAX_PUBLISHERS {
            all.receive("identity", &heartbeat(&number.to_string(), 0), now);
        }
        assert_eq!(all.by_name.len(), MAX_PUBLISHERS);
        assert_eq!(all.present_until(), None, "not everybody can be followed");
    }
}
