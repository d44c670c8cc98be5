//! Pauses between attempts: longer and longer, and never the same in two processes.

use std::time::{Duration, Instant};

use guildhall_runtime::Error;

const FIRST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(10);
/// How often the log says that something goes on failing.
const WARN_EVERY: Duration = Duration::from_secs(30);

/// The pauses of one task.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    attempts: u32,
    warned_at: Option<Instant>,
}

impl Backoff {
    /// It went well: the next failure is the first.
    pub fn reset(&mut self) {
        *self = Self::default();
    }

    /// How long to wait after another failure: half to one and a half times of twice the last.
    pub fn next(&mut self) -> Duration {
        let pause = FIRST
            .saturating_mul(1 << self.attempts.min(16))
            .min(LONGEST);
        self.attempts = self.attempts.saturating_add(1);
        let mut random = [0; 1];
        // Without randomness all wait the longest.
        let _ = aws_lc_rs::rand::fill(&mut random);
        pause * (128 + u32::from(random[0])) / 256
    }

    /// Says what fails, once in a while.
    pub fn warn(&mut self, error: &Error, what: &str) {
        if self.warned_at.is_none_or(|at| at.elapsed() > WARN_EVERY) {
            self.warned_at = Some(Instant::now());
            tracing::warn!(?error, "{what}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_limit_and_begin_anew() {
        let mut backoff = Backoff::default();
        let first = backoff.next();
        assert!(first >= FIRST / 2 && first < FIRST * 3 / 2);
        for _ in 0..40 {
            assert!(backoff.next() < LONGEST * 3 / 2);
        }
        assert!(backoff.next() >= LONGEST / 2);
        backoff.reset();
        assert!(backoff.next() < FIRST * 3 / 2);
    }
}
