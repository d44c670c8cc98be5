//! Who publishes, and whether everything he says is heard.

use std::{collections::HashMap, time::Duration};

use guildhall_proto::events::v1::SignalBatch;
use tokio::time::Instant;

/// How long a publisher may be silent; he speaks four times a second.
const SILENCE: Duration = Duration::from_millis(750);
/// How long a silent publisher is missed before he counts as gone.
const MEMORY: Duration = Duration::from_secs(600);
/// Publishers at most; more cannot be covered.
const PUBLISHERS: usize = 1024;

/// All publishers whom a process listens to.
#[derive(Debug)]
pub(crate) struct RollCall {
    /// Services of which somebody must be heard.
    needed: Vec<&'static str>,
    publishers: HashMap<String, Publisher>,
}

#[derive(Debug)]
struct Publisher {
    service: &'static str,
    /// Of his last batch with signals.
    number: u64,
    heard_at: Instant,
    lagging: bool,
    leaving: bool,
}

impl RollCall {
    /// Nobody was heard yet; of each service `needed` somebody must be.
    pub(crate) fn new(needed: Vec<&'static str>) -> Self {
        Self {
            needed,
            publishers: HashMap::new(),
        }
    }

    /// Notes what a publisher of `service` says; whether something he said before was missed.
    pub(crate) fn hear(
        &mut self,
        service: &'static str,
        batch: &SignalBatch,
        now: Instant,
    ) -> bool {
        let before = match self.publishers.get(&batch.publisher) {
            Some(publisher) => publisher.number,
            // He cannot be followed: whatever he says may be missed.
            None if self.publishers.len() >= PUBLISHERS => return true,
            None => 0,
        };
        let publisher = Publisher {
            service,
            number: batch.number,
            heard_at: now,
            lagging: batch.lagging,
            leaving: batch.leaving,
        };
        self.publishers.insert(batch.publisher.clone(), publisher);
        batch.number != before + u64::from(!batch.signals.is_empty())
    }

    /// Until when everybody counts as heard; none when somebody already does not.
    pub(crate) fn whole_until(&self) -> Option<Instant> {
        let all_there = self.needed.iter().all(|needed| {
            let mut services = self.publishers.values().map(|publisher| publisher.service);
            services.any(|service| service == *needed)
        });
        if !all_there
            || self.publishers.len() >= PUBLISHERS
            || self.publishers.values().any(|publisher| publisher.lagging)
        {
            return None;
        }
        let heard = self.publishers.values().map(|publisher| publisher.heard_at);
        // Alone on the bus, nobody can be missed for as long as the bus itself works.
        Some(heard.min().unwrap_or_else(Instant::now) + SILENCE)
    }

    /// Forgets who has left, and who was silent for so long that he must be gone; whether anybody
    /// was forgotten: his last words may have been missed.
    pub(crate) fn forget_silent(&mut self, now: Instant) -> bool {
        let before = self.publishers.len();
        self.publishers.retain(|_, publisher| {
            let patience = if publisher.leaving { SILENCE } else { MEMORY };
            now < publisher.heard_at + patience
        });
        self.publishers.len() < before
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

    fn beat(publisher: &str, number: u64) -> SignalBatch {
        batch(publisher, number, 0)
    }

    #[test]
    fn a_gap_is_noticed_at_the_next_batch_or_beat() {
        let (mut roll, now) = (RollCall::new(Vec::new()), Instant::now());
        assert!(!roll.hear("identity", &beat("a", 0), now), "he is new");
        assert!(!roll.hear("identity", &batch("a", 1, 2), now));
        assert!(!roll.hear("identity", &beat("a", 1), now));
        assert!(!roll.hear("identity", &batch("a", 2, 1), now));
        assert!(roll.hear("identity", &batch("a", 4, 1), now), "3 is lost");
        assert!(roll.hear("identity", &beat("a", 5), now), "5 is lost");
        assert!(!roll.hear("identity", &beat("a", 5), now));
    }

    #[test]
    fn who_has_spoken_before_he_was_known_was_missed() {
        let (mut roll, now) = (RollCall::new(Vec::new()), Instant::now());
        assert!(!roll.hear("identity", &batch("fresh", 1, 1), now));
        assert!(roll.hear("identity", &batch("old", 2, 1), now));
        assert!(roll.hear("identity", &beat("older", 7), now));
    }

    #[test]
    fn silence_ends_what_counts_as_heard() {
        let (mut roll, start) = (RollCall::new(Vec::new()), Instant::now());
        roll.hear("identity", &beat("a", 0), start);
        let later = start + Duration::from_millis(250);
        roll.hear("identity", &beat("b", 0), later);
        assert_eq!(roll.whole_until(), Some(start + SILENCE));
        roll.hear("identity", &beat("a", 0), later);
        assert_eq!(roll.whole_until(), Some(later + SILENCE));
    }

    #[test]
    fn who_lags_is_not_relied_on() {
        let (mut roll, now) = (RollCall::new(Vec::new()), Instant::now());
        let lagging = SignalBatch {
            lagging: true,
            ..beat("a", 0)
        };
        roll.hear("identity", &lagging, now);
        assert_eq!(roll.whole_until(), None);
        roll.hear("identity", &beat("a", 0), now);
        assert!(roll.whole_until().is_some());
    }

    #[test]
    fn somebody_of_each_needed_service_must_be_heard() {
        let (mut roll, now) = (RollCall::new(vec!["identity"]), Instant::now());
        roll.hear("messaging", &beat("m", 0), now);
        assert_eq!(roll.whole_until(), None);
        roll.hear("identity", &beat("i", 0), now);
        assert!(roll.whole_until().is_some());
    }

    #[test]
    fn who_leaves_is_forgotten_at_once_and_who_dies_after_ten_minutes() {
        let (mut roll, start) = (RollCall::new(Vec::new()), Instant::now());
        roll.hear("identity", &beat("dead", 0), start);
        let leaving = SignalBatch {
            leaving: true,
            ..beat("gone", 0)
        };
        roll.hear("identity", &leaving, start);
        assert!(!roll.forget_silent(start));
        assert!(roll.forget_silent(start + SILENCE), "one has left");
        assert_eq!(roll.whole_until(), Some(start + SILENCE), "one is missed");
        assert!(roll.forget_silent(start + MEMORY));
        assert!(roll.publishers.is_empty());
    }

    #[test]
    fn strangers_do_not_fill_the_memory() {
        let (mut roll, now) = (RollCall::new(Vec::new()), Instant::now());
        for number in 0..=PUBLISHERS {
            roll.hear("identity", &beat(&number.to_string(), 0), now);
        }
        assert_eq!(roll.publishers.len(), PUBLISHERS);
        assert_eq!(roll.whole_until(), None, "not everybody can be followed");
    }
}
