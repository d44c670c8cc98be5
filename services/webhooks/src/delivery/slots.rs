//! How many attempts are in flight in all: 512 slots in three pools, so that slow endpoints wait for
//! each other and never make a quick one wait.
//!
//! An attempt at a quick endpoint takes a slot of the first pool. When it turns out to be slow it moves
//! to the second, and its endpoint's next attempts go to the third. So an endpoint that dies holds
//! slots of the first pool for a second, once.

use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::sleep,
};

use super::health::{Pace, QUICK};

/// The slots of a process.
#[derive(Debug)]
pub struct Slots {
    quick: Semaphore,
    turned_slow: Semaphore,
    slow: Semaphore,
}

impl Default for Slots {
    fn default() -> Self {
        Self {
            quick: Semaphore::new(256),
            turned_slow: Semaphore::new(128),
            slow: Semaphore::new(128),
        }
    }
}

impl Slots {
    /// Runs an attempt at an endpoint of this pace as soon as there is a slot for it.
    pub async fn run<T>(&self, pace: Pace, attempt: impl Future<Output = T>) -> T {
        match pace {
            Pace::Slow => {
                let _slot = take(&self.slow).await;
                attempt.await
            }
            Pace::Quick => self.run_quick(attempt).await,
        }
    }

    async fn run_quick<T>(&self, attempt: impl Future<Output = T>) -> T {
        let slot = take(&self.quick).await;
        let move_on = async {
            sleep(QUICK).await;
            take(&self.turned_slow).await
        };
        tokio::pin!(attempt);
        tokio::select! {
            biased;
            done = &mut attempt => done,
            _slot = move_on => {
                drop(slot);
                attempt.await
            }
        }
    }
}

async fn take(pool: &Semaphore) -> Option<SemaphorePermit<'_>> {
    // It is never closed.
    pool.acquire().await.ok()
}

#[cfg(test)]
mod tests {
    use std::{future::pending, sync::Arc, time::Duration};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn any_number_of_slow_endpoints_costs_a_quick_one_nothing() {
        let slots = Arc::new(Slots::default());
        for _ in 0..1000 {
            let slots = Arc::clone(&slots);
            tokio::spawn(async move { slots.run(Pace::Slow, pending::<()>()).await });
        }
        for _ in 0..128 {
            let slots = Arc::clone(&slots);
            tokio::spawn(async move { slots.run(Pace::Quick, pending::<()>()).await });
        }
        sleep(2 * QUICK).await;
        assert_eq!(slots.slow.available_permits(), 0);
        assert_eq!(slots.turned_slow.available_permits(), 0);
        assert_eq!(slots.quick.available_permits(), 256);
        let quick = slots.run(Pace::Quick, async { 7 });
        assert_eq!(tokio::time::timeout(Duration::ZERO, quick).await, Ok(7));
    }
}
