//! When calls begin.

use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

use tokio::sync::Semaphore;

use super::Load;

/// The longest sleep of the pacer.
const NAP: Duration = Duration::from_millis(50);

/// When a call begins.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pace {
    /// As soon as its connection was answered (a closed loop).
    AsAnswered,
    /// At so many a second, whatever the answers (an open loop). Its time counts from the moment
    /// that was planned for it, so that waiting for a free connection is not left out.
    PerSecond(f64),
}

/// The beginnings of all calls of a run.
#[derive(Debug)]
pub(super) struct Schedule {
    begin: Instant,
    time: Duration,
    connections: usize,
    rate: Option<f64>,
    taken: AtomicU64,
    due: Semaphore,
    given_up: AtomicBool,
}

impl Schedule {
    /// Begins now.
    pub(super) fn start(load: Load) -> Self {
        Self {
            begin: Instant::now(),
            time: load.time,
            connections: load.connections,
            rate: match load.pace {
                Pace::AsAnswered => None,
                Pace::PerSecond(rate) => Some(rate),
            },
            taken: AtomicU64::new(0),
            due: Semaphore::new(0),
            given_up: AtomicBool::new(false),
        }
    }

    /// Waits for the next beginning; the moment that was planned for it, none at the end.
    pub(super) async fn next(&self) -> Option<Instant> {
        let Some(rate) = self.rate else {
            let now = Instant::now();
            return (now < self.begin + self.time).then_some(now);
        };
        self.due.acquire().await.ok()?.forget();
        let turn = self.taken.fetch_add(1, Ordering::Relaxed);
        let planned = Duration::from_secs_f64(turn as f64 / rate);
        (planned < self.time).then(|| self.begin + planned)
    }

    /// Whether the time of the run is over.
    pub(super) fn is_over(&self) -> bool {
        self.begin.elapsed() > self.time
    }

    /// Gives out beginnings as they come due, to the last; blocks.
    pub(super) fn pace(&self) {
        let Some(rate) = self.rate else { return };
        let mut given = 0;
        while !self.given_up.load(Ordering::Relaxed) {
            let elapsed = self.begin.elapsed();
            if elapsed >= self.time {
                break;
            }
            let due = (elapsed.as_secs_f64() * rate) as usize + 1;
            self.due.add_permits(due - given);
            given = due;
            let next = self.begin + Duration::from_secs_f64(due as f64 / rate);
            thread::sleep(next.saturating_duration_since(Instant::now()).min(NAP));
        }
        // The last beginnings, and an end for each connection.
        let all = (self.time.as_secs_f64() * rate) as usize + 1;
        self.due
            .add_permits(all.saturating_sub(given) + self.connections);
    }

    /// Nobody waits for a beginning any more.
    pub(super) fn give_up(&self) {
        self.given_up.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn load(pace: Pace) -> Load {
        Load {
            connections: 3,
            pace,
            time: Duration::from_millis(100),
        }
    }

    #[tokio::test]
    async fn a_fixed_rate_plans_every_beginning_and_ends() {
        let schedule = Arc::new(Schedule::start(load(Pace::PerSecond(1000.0))));
        let pacer = Arc::clone(&schedule);
        let pacer = thread::spawn(move || pacer.pace());
        let mut planned = Vec::new();
        while let Some(moment) = schedule.next().await {
            assert!(moment <= Instant::now(), "not before its time");
            planned.push(moment - schedule.begin);
        }
        let expected: Vec<_> = (0..100).map(Duration::from_millis).collect();
        assert_eq!(planned, expected);
        // One for each of the other connections.
        assert_eq!(schedule.next().await, None);
        assert_eq!(schedule.next().await, None);
        pacer.join().unwrap();
    }

    #[tokio::test]
    async fn a_closed_loop_begins_at_once_until_the_end() {
        let schedule = Schedule::start(load(Pace::AsAnswered));
        assert!(schedule.next().await.is_some());
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(schedule.next().await, None);
        assert!(schedule.is_over());
    }
}
