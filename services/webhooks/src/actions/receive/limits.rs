//! How often an incoming webhook may be called, and how often its use is noted.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use guildhall_data::WebhookId;
use guildhall_runtime::{Error, Reason, Result};
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::store::incoming::USE_PRECISION;

/// Calls within a minute of a webhook, in each process (contract: events, "API Keys & Encryption").
const CALLS_PER_MINUTE: usize = 60;
const MINUTE: Duration = Duration::from_secs(60);
/// Webhooks whose calls are counted at most.
const COUNTED: u64 = 20_000;

/// Who calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Caller {
    /// Somebody who was let in.
    Admitted,
    /// Somebody else: they cannot use up what the others may call.
    Refused,
}

/// When somebody called within the last minute.
type Calls = Arc<Mutex<VecDeque<Instant>>>;

/// Counts the calls of webhooks.
#[derive(Debug)]
pub struct CallLimits {
    calls: moka::sync::Cache<(WebhookId, Caller), Calls>,
    /// Those whose use was noted within the last minute.
    noted: moka::sync::Cache<WebhookId, ()>,
}

impl Default for CallLimits {
    fn default() -> Self {
        Self {
            calls: moka::sync::Cache::builder()
                .max_capacity(COUNTED)
                .time_to_idle(MINUTE)
                .build(),
            noted: moka::sync::Cache::builder()
                .max_capacity(COUNTED)
                .time_to_live(USE_PRECISION)
                .build(),
        }
    }
}

impl CallLimits {
    /// Counts a call of a webhook.
    ///
    /// # Errors
    /// RATE_LIMITED, with the time to wait.
    pub fn count(&self, webhook: WebhookId, caller: Caller) -> Result<()> {
        let calls = self.calls.get_with((webhook, caller), Calls::default);
        let (mut calls, now) = (calls.lock(), Instant::now());
        while calls.front().is_some_and(|at| now - *at >= MINUTE) {
            calls.pop_front();
        }
        if let Some(first) = calls.front().filter(|_| calls.len() >= CALLS_PER_MINUTE) {
            let message = format!("Rate limit exceeded: {CALLS_PER_MINUTE} calls per minute");
            let wait = *first + MINUTE - now;
            return Err(Error::new(Reason::RateLimited, message).retry_after(wait));
        }
        calls.push_back(now);
        Ok(())
    }

    /// Whether the use of a webhook is to be noted: once a minute.
    pub fn is_use_due(&self, webhook: WebhookId) -> bool {
        self.noted.entry(webhook).or_insert(()).is_fresh()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_sixty_first_call_within_a_minute_waits_for_the_end_of_it() {
        let limits = CallLimits::default();
        let (busy, other) = (WebhookId::generate(), WebhookId::generate());
        let call = |webhook| limits.count(webhook, Caller::Admitted);
        for _ in 0..60 {
            call(busy).unwrap();
            tokio::time::advance(Duration::from_millis(500)).await;
        }
        let refused = call(busy).unwrap_err();
        assert_eq!(refused.reason(), Reason::RateLimited);
        let wait = refused.retry_delay().unwrap();
        assert_eq!(wait, Duration::from_secs(30));
        assert!(call(other).is_ok());
        tokio::time::advance(wait).await;
        assert!(call(busy).is_ok());
        assert!(call(busy).is_err(), "one call has fallen out of the minute");
    }

    #[test]
    fn who_was_not_let_in_uses_up_nothing_of_who_was() {
        let limits = CallLimits::default();
        let webhook = WebhookId::generate();
        while limits.count(webhook, Caller::Refused).is_ok() {}
        assert!(limits.count(webhook, Caller::Admitted).is_ok());
    }

    #[test]
    fn a_use_is_noted_once_a_minute() {
        let limits = CallLimits::default();
        let webhook = WebhookId::generate();
        assert!(limits.is_use_due(webhook));
        assert!(!limits.is_use_due(webhook));
        assert!(limits.is_use_due(WebhookId::generate()));
    }
}
