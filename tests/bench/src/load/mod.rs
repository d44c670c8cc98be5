//! Load: connections that call as fast as they are answered, or at a fixed rate.
//!
//! A generator of our own, because wrk knows no fixed rate and no gRPC. It runs on one thread, so
//! that it takes as little as it can of the cores that it shares with what it measures.

pub mod grpc;
pub mod http1;
mod rate;
mod tally;

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::{runtime, task::JoinSet, time::timeout};

use self::rate::Schedule;
pub use self::{rate::Pace, tally::Tally};
use crate::{Failure, Result};

/// How long what is under way at the end may still take.
const LINGER: Duration = Duration::from_secs(30);

/// What is called.
pub trait Target: Clone + Send + 'static {
    /// A connection to it.
    type Line: Line;

    /// Connects.
    fn connect(&self) -> impl Future<Output = Result<Self::Line>> + Send;
}

/// A connection, with one call at a time.
pub trait Line: Send + 'static {
    /// Makes the `turn`th call.
    ///
    /// # Errors
    /// What was answered instead of a success.
    fn call(&mut self, turn: u64) -> impl Future<Output = Result<(), String>> + Send;
}

/// How a target is called.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    /// Connections at once.
    pub connections: usize,
    /// When a call begins.
    pub pace: Pace,
    /// For how long calls begin.
    pub time: Duration,
}

/// Calls `target` and waits for all answers.
///
/// # Errors
/// When a connection cannot be made. A wrong answer is no error: the tally tells.
pub async fn run<T: Target>(target: &T, load: Load) -> Result<Tally> {
    let target = target.clone();
    let generator = tokio::task::spawn_blocking(move || {
        let runtime = runtime::Builder::new_current_thread().enable_all().build();
        runtime?.block_on(generate(&target, load))
    });
    generator.await?
}

async fn generate<T: Target>(target: &T, load: Load) -> Result<Tally> {
    let mut lines = Vec::with_capacity(load.connections);
    for _ in 0..load.connections {
        lines.push(target.connect().await?);
    }
    let tally = Arc::new(Mutex::new(Tally::new()?));
    let schedule = Arc::new(Schedule::start(load));
    let pacer = Arc::clone(&schedule);
    // A thread of its own: tokio's timer knows whole milliseconds only.
    let pacer = std::thread::spawn(move || pacer.pace());
    let mut work = JoinSet::new();
    for (first, line) in (0..).zip(lines) {
        work.spawn(call(line, first, Arc::clone(&schedule), Arc::clone(&tally)));
    }
    let all = async { while work.join_next().await.is_some() {} };
    if timeout(load.time + LINGER, all).await.is_err() {
        tally.lock().fail("no answer within 30 seconds".to_owned());
    }
    schedule.give_up();
    pacer.join().map_err(|_| Failure::from("the pacer ended"))?;
    let mut tally = std::mem::replace(&mut *tally.lock(), Tally::new()?);
    tally.elapsed = load.time;
    Ok(tally)
}

async fn call(mut line: impl Line, first: u64, schedule: Arc<Schedule>, tally: Arc<Mutex<Tally>>) {
    let mut turn = first;
    while let Some(planned) = schedule.next().await {
        let answer = line.call(turn).await;
        turn += 1;
        match answer {
            Ok(()) => tally.lock().count(planned.elapsed(), schedule.is_over()),
            Err(failure) => return tally.lock().fail(failure),
        }
    }
}
