//! How often each caller may call, in this process.

use std::{fmt, hash::Hash, num::NonZeroU32, sync::Arc, time::Duration};

use governor::{
    DefaultDirectRateLimiter, Quota as GovernorQuota, RateLimiter,
    clock::{Clock, DefaultClock},
    middleware::StateInformationMiddleware,
    state::{InMemoryState, NotKeyed},
};
use guildhall_runtime::{Error, Reason, Result};
use moka::policy::EvictionPolicy;

use crate::metrics;

/// Callers that a limit remembers at most. Others who come take the place of those who have not
/// called for the longest time: what strangers make up, such as wrong keys, must not fill the memory.
const MAX_CALLERS: u64 = 50_000;

type Bucket = RateLimiter<NotKeyed, InMemoryState, DefaultClock, StateInformationMiddleware>;

/// A number of calls in a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Calls in each unit of time; 0 switches the limit off.
    pub calls: u32,
    /// The time.
    pub unit: Unit,
    /// Calls at once, after a while without any.
    pub at_once: u32,
}

/// A unit of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// A second.
    Second,
    /// A minute.
    Minute,
}

impl Unit {
    fn name(self) -> &'static str {
        match self {
            Self::Second => "second",
            Self::Minute => "minute",
        }
    }

    fn duration(self) -> Duration {
        match self {
            Self::Second => Duration::from_secs(1),
            Self::Minute => Duration::from_secs(60),
        }
    }
}

/// How often each caller may call; by default callers are told apart by the digest of their
/// credential. Cheap to clone.
pub struct RateLimit<K = [u8; 32]>(Option<Arc<Buckets<K>>>);

struct Buckets<K> {
    /// A bucket for each caller who is not as if they had never called.
    of: moka::sync::Cache<K, Arc<Bucket>>,
    quota: GovernorQuota,
    rate: Rate,
    clock: DefaultClock,
}

/// What is left of a limit, for the `X-RateLimit-*` headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// Calls in a unit of time.
    pub limit: u32,
    /// Calls that may be made at once now.
    pub remaining: u32,
    /// Until all of them may be made again.
    pub reset: Duration,
}

impl RateLimit {
    /// A limit of requests per second, twice that at once; 0 switches it off.
    #[must_use]
    pub fn per_second(per_second: u32) -> Self {
        Self::new(Rate {
            calls: per_second,
            unit: Unit::Second,
            at_once: per_second.saturating_mul(2),
        })
    }
}

impl<K: Hash + Eq + Clone + Send + Sync + 'static> RateLimit<K> {
    /// A limit.
    #[must_use]
    pub fn new(rate: Rate) -> Self {
        let buckets = quota(rate).map(|quota| {
            let refilled = quota.replenish_interval() * quota.burst_size().get();
            let of = moka::sync::Cache::builder()
                .max_capacity(MAX_CALLERS)
                .eviction_policy(EvictionPolicy::lru())
                .time_to_idle(refilled.max(Duration::from_secs(1)))
                .build();
            Arc::new(Buckets {
                of,
                quota,
                rate,
                clock: DefaultClock::default(),
            })
        });
        Self(buckets)
    }

    /// Counts one call of a caller.
    ///
    /// # Errors
    /// RATE_LIMITED, with the time to wait.
    pub fn count(&self, caller: &K) -> Result<Option<Quota>> {
        let Some(buckets) = &self.0 else {
            return Ok(None);
        };
        let new = || Arc::new(DefaultDirectRateLimiter::direct(buckets.quota).with_middleware());
        let bucket = buckets.of.get_with_by_ref(caller, new);
        match bucket.check() {
            Ok(state) => {
                let remaining = state.remaining_burst_capacity();
                let used = state.quota().burst_size().get().saturating_sub(remaining);
                let reset = state.quota().replenish_interval() * used;
                Ok(Some(Quota {
                    limit: buckets.rate.calls,
                    remaining,
                    reset,
                }))
            }
            Err(denied) => {
                metrics::count_limited();
                let wait = denied.wait_time_from(buckets.clock.now());
                let message = format!(
                    "Rate limit exceeded: {} requests per {}",
                    buckets.rate.calls,
                    buckets.rate.unit.name()
                );
                Err(Error::new(Reason::RateLimited, message).retry_after(wait))
            }
        }
    }

    /// Calls in a unit of time; none when switched off.
    #[must_use]
    pub fn limit(&self) -> Option<u32> {
        self.0.as_ref().map(|buckets| buckets.rate.calls)
    }
}

/// Without the callers.
impl<K> fmt::Debug for RateLimit<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rate = self.0.as_ref().map(|buckets| buckets.rate);
        f.debug_tuple("RateLimit").field(&rate).finish()
    }
}

// Derived, it would ask callers to be `Clone`.
impl<K> Clone for RateLimit<K> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

fn quota(rate: Rate) -> Option<GovernorQuota> {
    let calls = NonZeroU32::new(rate.calls)?;
    let at_once = NonZeroU32::new(rate.at_once).unwrap_or(NonZeroU32::MIN);
    let quota = GovernorQuota::with_period(rate.unit.duration() / calls.get())?;
    Some(quota.allow_burst(at_once))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twice_the_rate_at_once_and_then_a_wait() {
        let limit = RateLimit::per_second(5);
        for left in (0..10).rev() {
            assert_eq!(limit.count(&[1; 32]).unwrap().unwrap().remaining, left);
        }
        let refused = limit.count(&[1; 32]).unwrap_err();
        assert_eq!(refused.reason(), Reason::RateLimited);
        assert!(refused.retry_delay().unwrap() <= Duration::from_millis(200));
        assert!(
            limit.count(&[2; 32]).is_ok(),
            "another credential has a limit of its own"
        );
    }

    #[test]
    fn a_rate_may_be_one_of_minutes() {
        let limit = RateLimit::new(Rate {
            calls: 2,
            unit: Unit::Minute,
            at_once: 1,
        });
        assert!(limit.count(&"ann").is_ok());
        let refused = limit.count(&"ann").unwrap_err();
        assert!(refused.retry_delay().unwrap() > Duration::from_secs(25));
        assert!(refused.to_string().contains("2 requests per minute"));
    }

    #[test]
    fn zero_is_off() {
        assert_eq!(RateLimit::per_second(0).count(&[1; 32]).unwrap(), None);
    }

    #[test]
    fn made_up_callers_take_no_more_room_than_there_is() {
        let limit = RateLimit::new(Rate {
            calls: 1,
            unit: Unit::Minute,
            at_once: 1,
        });
        for caller in 0..MAX_CALLERS * 3 {
            let _ = limit.count(&caller);
        }
        let last = MAX_CALLERS * 3 - 1;
        assert!(limit.count(&last).is_err(), "the latest is remembered");
        let buckets = &limit.0.as_ref().unwrap().of;
        buckets.run_pending_tasks();
        assert!(buckets.entry_count() <= MAX_CALLERS);
    }
}
