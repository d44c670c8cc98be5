//! How an endpoint fares, and so how much it is given.

use std::time::Duration;

use crate::domain::retry::Verdict;

/// In flight at most to an endpoint that is quick.
const MAX_QUICK: usize = 32;
/// To one that is slow.
const MAX_SLOW: usize = 8;
/// What takes longer is slow.
pub const QUICK: Duration = Duration::from_secs(1);

/// How an endpoint fares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Health {
    /// How many attempts may be in flight: it doubles with each success.
    pub limit: usize,
    /// Whether its last attempt failed or was slow.
    pub pace: Pace,
}

/// How quickly an endpoint answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// Within a second; also one that was never tried.
    Quick,
    /// Later, or not well.
    Slow,
}

impl Health {
    /// The health of an endpoint with so many failures behind it.
    #[must_use]
    pub fn after_failures(failures: i32) -> Self {
        Self {
            limit: 1,
            pace: if failures > 0 {
                Pace::Slow
            } else {
                Pace::Quick
            },
        }
    }

    /// Its health after an attempt.
    #[must_use]
    pub fn after(self, verdict: Verdict, duration: Duration) -> Self {
        match verdict {
            Verdict::Delivered if duration <= QUICK => Self {
                limit: (self.limit * 2).min(MAX_QUICK),
                pace: Pace::Quick,
            },
            Verdict::Delivered => Self {
                limit: (self.limit * 2).min(MAX_SLOW),
                pace: Pace::Slow,
            },
            Verdict::Gone | Verdict::Failed(_) => Self {
                limit: 1,
                pace: Pace::Slow,
            },
            // Says nothing of the receiver.
            Verdict::Unsendable => self,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_given_as_much_as_it_takes() {
        let mut health = Health::after_failures(3);
        assert_eq!((health.limit, health.pace), (1, Pace::Slow));
        for limit in [2, 4, 8, 16, 32, 32] {
            health = health.after(Verdict::Delivered, Duration::ZERO);
            assert_eq!((health.limit, health.pace), (limit, Pace::Quick));
        }
        let slow = health.after(Verdict::Delivered, 2 * QUICK);
        assert_eq!((slow.limit, slow.pace), (MAX_SLOW, Pace::Slow));
        let failed = health.after(Verdict::Failed(None), Duration::ZERO);
        assert_eq!((failed.limit, failed.pace), (1, Pace::Slow));
    }
}
