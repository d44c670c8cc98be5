//! Locks that make changes of one message wait for each other here, and not in the database, where
//! every waiting request would hold a connection.

use std::hash::{BuildHasher, RandomState};

use guildhall_data::MessageId;
use tokio::sync::{Semaphore, SemaphorePermit};

/// Number of locks. Messages that share one wait for each other needlessly, and briefly.
const LOCKS: usize = 256;

/// The locks of all messages.
#[derive(Debug)]
pub struct MessageLocks {
    locks: Vec<Semaphore>,
    hasher: RandomState,
}

impl Default for MessageLocks {
    fn default() -> Self {
        Self {
            locks: (0..LOCKS).map(|_| Semaphore::new(1)).collect(),
            hasher: RandomState::new(),
        }
    }
}

impl MessageLocks {
    /// Locks a message, first come first served, until the permit is dropped.
    pub async fn lock(&self, message: MessageId) -> Option<SemaphorePermit<'_>> {
        let hash = usize::try_from(self.hasher.hash_one(message) % LOCKS as u64);
        let lock = self.locks.get(hash.unwrap_or(0))?;
        // The semaphores are never closed.
        lock.acquire().await.ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_message_is_locked_once_at_a_time() {
        let (locks, message) = (MessageLocks::default(), MessageId::generate());
        let first = locks.lock(message).await;
        let mut second = Box::pin(locks.lock(message));
        assert!(futures::poll!(&mut second).is_pending());
        drop(first);
        assert!(second.await.is_some());
    }
}
