//! What a run of calls came to.

use std::time::Duration;

use hdrhistogram::Histogram;

use crate::{Failure, Result};

/// The longest latency that is told apart.
const LONGEST: Duration = Duration::from_secs(60);

/// What a run of calls came to.
#[derive(Debug, Clone)]
pub struct Tally {
    /// Calls that were answered well, whenever.
    pub acknowledged: u64,
    /// Those of them that were answered while the run lasted.
    pub in_time: u64,
    /// Calls that were not.
    pub failed: u64,
    /// The first answer of those.
    pub failure: Option<String>,
    /// How long calls began.
    pub elapsed: Duration,
    latency: Histogram<u64>,
}

impl Tally {
    /// No call.
    ///
    /// # Errors
    /// Never in practice: the histogram's bounds are constants.
    pub fn new() -> Result<Self> {
        let longest = u64::try_from(LONGEST.as_micros())?;
        Ok(Self {
            acknowledged: 0,
            in_time: 0,
            failed: 0,
            failure: None,
            elapsed: Duration::ZERO,
            latency: Histogram::new_with_max(longest, 3)
                .map_err(|error| Failure::from(error.to_string()))?,
        })
    }

    pub(super) fn count(&mut self, took: Duration, late: bool) {
        self.acknowledged += 1;
        self.in_time += u64::from(!late);
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.latency.saturating_record(micros);
    }

    pub(super) fn fail(&mut self, failure: String) {
        self.failed += 1;
        self.failure.get_or_insert(failure);
    }

    /// Calls per second.
    #[must_use]
    pub fn rate(&self) -> f64 {
        self.in_time as f64 / self.elapsed.as_secs_f64()
    }

    /// The mean time of a call, in microseconds.
    #[must_use]
    pub fn mean(&self) -> f64 {
        self.latency.mean()
    }

    /// The time within which this part of the calls was answered, in milliseconds.
    #[must_use]
    pub fn quantile(&self, part: f64) -> f64 {
        self.latency.value_at_quantile(part) as f64 / 1000.0
    }

    /// What is wrong with it, if anything is.
    #[must_use]
    pub fn flaw(&self) -> Option<String> {
        if let Some(failure) = &self.failure {
            let lines = self.failed;
            return Some(format!(
                "{lines} connections failed, the first with: {failure}"
            ));
        }
        (self.in_time == 0).then(|| "nothing was answered within a round: --seconds".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_late_is_acknowledged_but_no_rate() {
        let mut tally = Tally::new().unwrap();
        tally.elapsed = Duration::from_millis(500);
        for (millis, late) in [(1, false), (2, false), (3, true)] {
            tally.count(Duration::from_millis(millis), late);
        }
        assert_eq!((tally.acknowledged, tally.in_time), (3, 2));
        assert!((tally.rate() - 4.0).abs() < 1e-9);
        assert!((tally.quantile(0.5) - 2.0).abs() < 0.01);
        assert!((tally.mean() - 2000.0).abs() < 5.0);
        assert_eq!(tally.flaw(), None);
    }

    #[test]
    fn a_round_without_an_answer_in_time_says_nothing() {
        let mut tally = Tally::new().unwrap();
        tally.count(Duration::from_millis(300), true);
        assert!(tally.flaw().unwrap().contains("--seconds"));
    }

    #[test]
    fn a_failure_is_a_flaw_and_the_first_one_is_told() {
        let mut tally = Tally::new().unwrap();
        tally.fail("status 500".to_owned());
        tally.fail("status 503".to_owned());
        let flaw = tally.flaw().unwrap();
        assert!(
            flaw.contains("2 connections") && flaw.contains("500"),
            "{flaw}"
        );
    }
}
