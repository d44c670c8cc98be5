//! Test events: attempts outside of order and retries, which leave nothing behind.

use std::{sync::Arc, time::Duration};

use guildhall_data::CommunityId;
use guildhall_runtime::{Error, Reason, Result};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{Dispatcher, receiver::Receiver, request::OutgoingEvent, sender::Attempt};
use crate::store::outgoing;

/// Test events under way in a process at most, and those of one community.
const IN_ALL: usize = 32;
const OF_COMMUNITY: usize = 4;
/// Communities whose test events are counted at most, and for how long after their last.
const COUNTED: u64 = 10_000;
const COUNTED_FOR: Duration = Duration::from_secs(60);

/// How many test events are under way.
#[derive(Debug)]
pub(super) struct TestEvents {
    all: Arc<Semaphore>,
    by_community: moka::sync::Cache<CommunityId, Arc<Semaphore>>,
}

impl Default for TestEvents {
    fn default() -> Self {
        Self {
            all: Arc::new(Semaphore::new(IN_ALL)),
            by_community: moka::sync::Cache::builder()
                .max_capacity(COUNTED)
                .time_to_idle(COUNTED_FOR)
                .build(),
        }
    }
}

/// A test event that is under way, until dropped.
type Begun = (OwnedSemaphorePermit, OwnedSemaphorePermit);

impl TestEvents {
    /// Begins one, if there is room for it at once.
    ///
    /// # Errors
    /// RATE_LIMITED.
    fn begin(&self, community: CommunityId) -> Result<Begun> {
        let fresh = || Arc::new(Semaphore::new(OF_COMMUNITY));
        let own = self.by_community.get_with(community, fresh);
        let begun = own.try_acquire_owned();
        let begun = begun.and_then(|own| Ok((own, Arc::clone(&self.all).try_acquire_owned()?)));
        begun.map_err(|_| {
            let message = "Too many test events are being sent, try again";
            Error::new(Reason::RateLimited, message).retry_after(Duration::from_secs(1))
        })
    }
}

impl Dispatcher {
    /// Tells the receiver of a webhook of an event, whether the webhook is on or not: once, at once,
    /// and without any consequence.
    ///
    /// # Errors
    /// RATE_LIMITED when too many are under way.
    pub(crate) async fn send_test_event(
        &self,
        webhook: &outgoing::Model,
        event: OutgoingEvent<'_>,
    ) -> Result<Attempt> {
        let _begun = self.0.test_events.begin(webhook.community_id)?;
        Ok(match Receiver::open(webhook, &self.0.sealer) {
            Ok(receiver) => self.0.sender.attempt(&receiver, event).await,
            Err(unsendable) => Attempt::unsendable(&unsendable),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_community_takes_no_more_than_its_share() {
        let test_events = TestEvents::default();
        let (busy, other) = (CommunityId::generate(), CommunityId::generate());
        let begun: Vec<_> = (0..OF_COMMUNITY)
            .map(|_| test_events.begin(busy).unwrap())
            .collect();
        let refused = test_events.begin(busy).unwrap_err();
        assert_eq!(refused.reason(), Reason::RateLimited);
        assert!(test_events.begin(other).is_ok());
        drop(begun);
        assert!(test_events.begin(busy).is_ok());
    }
}
