//! Who changes the same message waits for his turn here, and not in the database, where each who
//! waits would hold a connection.

use std::hash::{BuildHasher, RandomState};

use guildhall_data::MessageId;
use tokio::sync::{Semaphore, SemaphorePermit};

/// Queues. Messages that share one wait for each other in vain, and briefly.
const QUEUES: usize = 256;

/// The queues of all messages.
#[derive(Debug)]
pub struct Turns {
    queues: Vec<Semaphore>,
    hasher: RandomState,
}

impl Default for Turns {
    fn default() -> Self {
        Self {
            queues: (0..QUEUES).map(|_| Semaphore::new(1)).collect(),
            hasher: RandomState::new(),
        }
    }
}

impl Turns {
    /// Waits for the turn to change a message, first come first served; it ends when it is dropped.
    pub async fn at(&self, message: MessageId) -> Option<SemaphorePermit<'_>> {
        let hash = usize::try_from(self.hasher.hash_one(message) % QUEUES as u64);
        let queue = self.queues.get(hash.unwrap_or(0))?;
        // Nobody closes a queue.
        queue.acquire().await.ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_at_a_time_changes_a_message() {
        let (turns, message) = (Turns::default(), MessageId::generate());
        let first = turns.at(message).await;
        let mut second = Box::pin(turns.at(message));
        assert!(futures::poll!(&mut second).is_pending());
        drop(first);
        assert!(second.await.is_some());
    }
}
