//! Requests per second and credential, in this process.

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use governor::{
    DefaultKeyedRateLimiter, Quota as GovernorQuota, RateLimiter,
    clock::{Clock, DefaultClock},
    middleware::StateInformationMiddleware,
};
use guildhall_runtime::{Error, Reason, Result};

use crate::metrics;

/// Credentials after which idle ones are removed: the map must not grow with every guess.
const MAX_KEYS: usize = 100_000;

type Limiter = RateLimiter<
    [u8; 32],
    governor::state::keyed::DefaultKeyedStateStore<[u8; 32]>,
    DefaultClock,
    StateInformationMiddleware,
>;

/// How many requests a credential may make: `per_second`, and twice that at once.
#[derive(Debug, Clone)]
pub struct RateLimit(Option<Arc<Bucket>>);

#[derive(Debug)]
struct Bucket {
    limiter: Limiter,
    per_second: u32,
    clock: DefaultClock,
}

/// What is left of a limit, for the `X-RateLimit-*` headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// Requests per second.
    pub limit: u32,
    /// Requests that may be made at once now.
    pub remaining: u32,
    /// Until all of them may be made again.
    pub reset: Duration,
}

impl RateLimit {
    /// A limit; 0 switches it off.
    #[must_use]
    pub fn per_second(per_second: u32) -> Self {
        let bucket = NonZeroU32::new(per_second).map(|rate| {
            let burst = rate.saturating_mul(NonZeroU32::MIN.saturating_add(1));
            let quota = GovernorQuota::per_second(rate).allow_burst(burst);
            let limiter = DefaultKeyedRateLimiter::keyed(quota)
                .with_middleware::<StateInformationMiddleware>();
            Arc::new(Bucket {
                limiter,
                per_second,
                clock: DefaultClock::default(),
            })
        });
        Self(bucket)
    }

    /// Counts one request of `credential` (its digest).
    ///
    /// # Errors
    /// RATE_LIMITED, with the time to wait.
    pub fn count(&self, credential: &[u8; 32]) -> Result<Option<Quota>> {
        let Some(bucket) = &self.0 else {
            return Ok(None);
        };
        if bucket.limiter.len() > MAX_KEYS {
            bucket.limiter.retain_recent();
        }
        match bucket.limiter.check_key(credential) {
            Ok(state) => {
                let remaining = state.remaining_burst_capacity();
                let used = state.quota().burst_size().get().saturating_sub(remaining);
                let reset = state.quota().replenish_interval() * used;
                Ok(Some(Quota {
                    limit: bucket.per_second,
                    remaining,
                    reset,
                }))
            }
            Err(denied) => {
                metrics::count_limited();
                let wait = denied.wait_time_from(bucket.clock.now());
                let message = format!(
                    "Rate limit exceeded: {} requests per second",
                    bucket.per_second
                );
                Err(Error::new(Reason::RateLimited, message).retry_after(wait))
            }
        }
    }

    /// Requests per second; none when switched off.
    #[must_use]
    pub fn limit(&self) -> Option<u32> {
        self.0.as_ref().map(|bucket| bucket.per_second)
    }
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
    fn zero_is_off() {
        assert_eq!(RateLimit::per_second(0).count(&[1; 32]).unwrap(), None);
    }
}
