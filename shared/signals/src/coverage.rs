//! How much of what other processes send is received, and how long that may be relied on.
//!
//! Coverage is a lease: it has to be renewed by what is received, and lapses by itself. So a process
//! that was stopped for a while trusts nothing when it goes on, before it has done anything.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use tokio::time::Instant;

/// How long an entry of a cache lives while every signal is received.
pub const COVERED_LIFE: Duration = Duration::from_secs(30);
/// How long it lives while signals may be lost, or nobody sends any, counted from the beginning of
/// its look-up: a change is seen within a second, with time to spare for a busy machine.
pub const UNCOVERED_LIFE: Duration = Duration::from_millis(800);

/// How much is received of what other processes send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coverage {
    /// No bus: this process is alone.
    Process,
    /// Everything.
    Everywhere,
    /// The broker is reached, but not every process that should be is.
    Partial,
    /// Nothing: the broker cannot be reached.
    Broken,
}

impl Coverage {
    /// Over a bus, by until when the broker counts as reached, and every process as present.
    pub(crate) fn of_bus(
        now: Instant,
        link_until: Option<Instant>,
        whole_until: Option<Instant>,
    ) -> Self {
        let holds = |until: Option<Instant>| until.is_some_and(|until| now < until);
        if holds(whole_until) {
            Self::Everywhere
        } else if holds(link_until) {
            Self::Partial
        } else {
            Self::Broken
        }
    }
}

/// Until when coverage holds. One task writes, everybody reads.
#[derive(Debug)]
pub(crate) struct Lease {
    base: Instant,
    /// Until when the broker counts as reached, in microseconds since `base`.
    link_until: AtomicU64,
    /// Until when every process counts as present.
    whole_until: AtomicU64,
    /// Since when nothing was missed.
    whole_since: AtomicU64,
}

impl Lease {
    /// Nothing is received yet.
    pub(crate) fn new() -> Self {
        Self {
            base: Instant::now(),
            link_until: AtomicU64::new(0),
            whole_until: AtomicU64::new(0),
            whole_since: AtomicU64::new(0),
        }
    }

    /// Microseconds since the lease was made; at least 1.
    pub(crate) fn micros(&self, at: Instant) -> u64 {
        let since = at.saturating_duration_since(self.base).as_micros();
        u64::try_from(since).unwrap_or(u64::MAX).max(1)
    }

    /// The moment so many [microseconds](Self::micros) after the lease was made, if there is one.
    pub(crate) fn moment(&self, micros: u64) -> Option<Instant> {
        self.base.checked_add(Duration::from_micros(micros))
    }

    /// The coverage at this moment.
    pub(crate) fn coverage(&self, now: Instant) -> Coverage {
        let now = self.micros(now);
        if now < self.whole_until.load(Ordering::Acquire) {
            Coverage::Everywhere
        } else if now < self.link_until.load(Ordering::Acquire) {
            Coverage::Partial
        } else {
            Coverage::Broken
        }
    }

    /// Renews the lease; none ends it.
    pub(crate) fn renew(&self, link_until: Option<Instant>, whole_until: Option<Instant>) {
        let micros = |until: Option<Instant>| until.map_or(0, |until| self.micros(until));
        self.link_until.store(micros(link_until), Ordering::Release);
        self.whole_until
            .store(micros(whole_until), Ordering::Release);
    }

    /// Something was missed: what was looked up before is not covered. Before the lease is renewed.
    pub(crate) fn begin_anew(&self, now: Instant) {
        self.whole_since.store(self.micros(now), Ordering::Release);
    }

    /// How long what was looked up at `asked_at` lives.
    pub(crate) fn lifetime(&self, asked_at: Instant, now: Instant) -> Duration {
        let covered = self.coverage(now) == Coverage::Everywhere
            && self.micros(asked_at) > self.whole_since.load(Ordering::Acquire);
        if covered {
            COVERED_LIFE
        } else {
            UNCOVERED_LIFE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_lease_lapses_by_itself() {
        let lease = Lease::new();
        let start = Instant::now();
        assert_eq!(lease.coverage(start), Coverage::Broken);
        let soon = start + Duration::from_millis(500);
        lease.renew(Some(soon + Duration::from_millis(100)), Some(soon));
        assert_eq!(lease.coverage(start), Coverage::Everywhere);
        assert_eq!(lease.coverage(soon), Coverage::Partial);
        assert_eq!(
            lease.coverage(soon + Duration::from_millis(100)),
            Coverage::Broken
        );
    }

    #[tokio::test(start_paused = true)]
    async fn only_what_was_looked_up_under_the_lease_lives_long() {
        let lease = Lease::new();
        let before = Instant::now();
        tokio::time::advance(Duration::from_millis(10)).await;
        lease.begin_anew(Instant::now());
        tokio::time::advance(Duration::from_millis(10)).await;
        let now = Instant::now();
        let until = now + Duration::from_millis(500);
        lease.renew(Some(until), Some(until));
        assert_eq!(lease.lifetime(before, now), UNCOVERED_LIFE);
        assert_eq!(lease.lifetime(now, now), COVERED_LIFE);
        assert_eq!(lease.lifetime(now, until), UNCOVERED_LIFE, "it has lapsed");
    }
}
