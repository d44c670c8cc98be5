//! How often callers from outside may call, who have no credential of a community: those of incoming
//! webhooks and workflows. Whoever has a key cannot be kept out by those who have none: strangers
//! are counted by their address, and only who was let in is counted for what they call.

use std::time::{Duration, Instant};

use guildhall_auth::{ClientAddress, Rate, RateLimit, Unit};
use guildhall_data::WorkflowId;
use guildhall_runtime::{Error, Reason, Result};
use moka::policy::EvictionPolicy;
use tonic::Request;

/// Calls with a wrong key, or to what is not there, from one address: as many in a minute, and at
/// once.
const FAILURES: u32 = 30;
/// How long an address is refused that has used them up: until it may fail once more.
const REFUSED: Duration = Duration::from_secs(60 / FAILURES as u64);
/// Addresses that are refused at most.
const MAX_REFUSED: u64 = 20_000;
/// Of both limits that operators set: so many times as many calls at once.
const AT_ONCE: u32 = 10;

/// Counts calls from outside, in this process.
#[derive(Debug)]
pub struct CallerLimits {
    calls: RateLimit<Origin>,
    failures: RateLimit<Origin>,
    /// Those who have failed too often, and until when they are refused.
    refused: moka::sync::Cache<Origin, Instant>,
    workflows: RateLimit<WorkflowId>,
}

/// Where a call comes from; none where the transport does not say.
pub type Origin = Option<ClientAddress>;

/// Where a request comes from, as the first process that it reached saw it.
pub fn origin<T>(request: &Request<T>) -> Origin {
    request.extensions().get::<ClientAddress>().copied()
}

impl CallerLimits {
    /// Limits of calls per second: from one address, and of one workflow; 0 switches one off, and
    /// that of addresses also that of failures.
    pub fn new(of_address: u32, of_workflow: u32) -> Self {
        let per_second = |calls: u32| Rate {
            calls,
            unit: Unit::Second,
            at_once: calls.saturating_mul(AT_ONCE),
        };
        let failures = if of_address == 0 { 0 } else { FAILURES };
        Self {
            calls: RateLimit::new(per_second(of_address)),
            failures: RateLimit::new(Rate {
                calls: failures,
                unit: Unit::Minute,
                at_once: failures,
            }),
            refused: moka::sync::Cache::builder()
                .max_capacity(MAX_REFUSED)
                .eviction_policy(EvictionPolicy::lru())
                .time_to_live(REFUSED)
                .build(),
            workflows: RateLimit::new(per_second(of_workflow)),
        }
    }

    /// Counts a call, before anything of it is looked at.
    ///
    /// # Errors
    /// RATE_LIMITED for an address that calls, or has failed, too often, with the time to wait.
    pub fn count(&self, origin: Origin) -> Result<()> {
        let now = Instant::now();
        if let Some(until) = self.refused.get(&origin).filter(|until| now < *until) {
            let message = format!(
                "Rate limit exceeded: {FAILURES} calls per minute with a wrong key, or of what is not there"
            );
            return Err(Error::new(Reason::RateLimited, message).retry_after(until - now));
        }
        self.calls.count(&origin).map(drop)
    }

    /// Counts a failure of a caller: the key was wrong, or nothing is there. Passes it on.
    pub fn failed(&self, origin: Origin, failure: Error) -> Error {
        let is_guess = matches!(
            failure.reason(),
            Reason::CredentialMissing
                | Reason::CredentialInvalid
                | Reason::WebhookNotFound
                | Reason::WorkflowNotFound
        );
        if is_guess && self.was_last_failure(origin) {
            self.refused.insert(origin, Instant::now() + REFUSED);
        }
        failure
    }

    fn was_last_failure(&self, origin: Origin) -> bool {
        match self.failures.count(&origin) {
            Ok(quota) => quota.is_some_and(|quota| quota.remaining == 0),
            Err(_) => true,
        }
    }

    /// Counts a call of a workflow by somebody who was let in.
    ///
    /// # Errors
    /// RATE_LIMITED, with the time to wait.
    pub fn count_workflow(&self, workflow: WorkflowId) -> Result<()> {
        self.workflows.count(&workflow).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    fn origin(address: &str) -> Origin {
        Some(address.parse::<IpAddr>().unwrap().into())
    }

    #[test]
    fn who_fails_too_often_is_refused_before_the_key_is_looked_at() {
        let limits = CallerLimits::new(1000, 0);
        let (stranger, other) = (origin("192.0.2.1"), origin("192.0.2.2"));
        let wrong = || Error::new(Reason::CredentialInvalid, "Invalid token");
        for _ in 0..FAILURES {
            limits.count(stranger).unwrap();
            assert_eq!(
                limits.failed(stranger, wrong()).reason(),
                Reason::CredentialInvalid
            );
        }
        let refused = limits.count(stranger).unwrap_err();
        assert_eq!(refused.reason(), Reason::RateLimited);
        assert!(refused.retry_delay().unwrap() <= REFUSED);
        assert!(limits.count(other).is_ok());
    }

    #[test]
    fn zero_is_off() {
        let limits = CallerLimits::new(0, 0);
        let stranger = origin("192.0.2.1");
        for _ in 0..FAILURES * 2 {
            limits.count(stranger).unwrap();
            limits.failed(
                stranger,
                Error::new(Reason::CredentialInvalid, "Invalid token"),
            );
        }
    }
}
