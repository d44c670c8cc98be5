//! How many attempts are in flight in all: 512, in three rooms, so that slow endpoints wait for each
//! other and never make a quick one wait.
//!
//! An attempt at a quick endpoint has a place in the first room. When it turns out to be slow it
//! moves to the second, and its endpoint's next attempts go to the third. So an endpoint that dies
//! holds places in the first room for a second, once.

use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::sleep,
};

use super::health::{Pace, QUICK};

/// The places of a process.
#[derive(Debug)]
pub struct Places {
    quick: Semaphore,
    turned_slow: Semaphore,
    slow: Semaphore,
}

impl Default for Places {
    fn default() -> Self {
        Self {
            quick: Semaphore::new(256),
            turned_slow: Semaphore::new(128),
            slow: Semaphore::new(128),
        }
    }
}

impl Places {
    /// Runs an attempt at an endpoint of this pace as soon as there is a place for it.
    pub async fn run<T>(&self, pace: Pace, attempt: impl Future<Output = T>) -> T {
        match pace {
            Pace::Slow => {
                let _place = take(&self.slow).await;
                attempt.await
            }
            Pace::Quick => self.run_quick(attempt).await,
        }
    }

    async fn run_quick<T>(&self, attempt: impl Future<Output = T>) -> T {
        let place = take(&self.quick).await;
        let move_on = async {
            sleep(QUICK).await;
            take(&self.turned_slow).await
        };
        tokio::pin!(attempt);
        tokio::select! {
            biased;
            done = &mut attempt => done,
            _place = move_on => {
                drop(place);
                attempt.await
            }
        }
    }
}

async fn take(room: &Semaphore) -> Option<SemaphorePermit<'_>> {
    // It is never closed.
    room.acquire().await.ok()
}

#[cfg(test)]
mod tests {
    use std::{future::pending, sync::Arc, time::Duration};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn any_number_of_slow_endpoints_costs_a_quick_one_nothing() {
        let places = Arc::new(Places::default());
        for _ in 0..1000 {
            let places = Arc::clone(&places);
            tokio::spawn(async move { places.run(Pace::Slow, pending::<()>()).await });
        }
        for _ in 0..128 {
            let places = Arc::clone(&places);
            tokio::spawn(async move { places.run(Pace::Quick, pending::<()>()).await });
        }
        sleep(2 * QUICK).await;
        assert_eq!(places.slow.available_permits(), 0);
        assert_eq!(places.turned_slow.available_permits(), 0);
        assert_eq!(places.quick.available_permits(), 256);
        let quick = places.run(Pace::Quick, async { 7 });
        assert_eq!(tokio::time::timeout(Duration::ZERO, quick).await, Ok(7));
    }
}
