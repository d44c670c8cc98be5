//! What becomes of items that arrive together.

use std::{
    collections::HashSet,
    sync::atomic::{AtomicBool, Ordering},
};

use parking_lot::Mutex;
use tokio::sync::Semaphore;

use super::*;

type Batches = Arc<Mutex<Vec<Vec<u32>>>>;

/// A store in memory that refuses 13, loses its connection at 99, is down once for 502 and
/// always for 503, and waits for permission.
struct Memory {
    passed: AtomicBool,
    batches: Batches,
    rows: Mutex<HashSet<u32>>,
    gate: Arc<Semaphore>,
}

#[async_trait]
impl Batch for Memory {
    type Item = u32;
    type Answer = u32;
    const NAME: &'static str = "numbers";

    async fn commit(&self, items: &[u32]) -> Result<Vec<u32>, Failure> {
        self.gate.acquire().await.unwrap().forget();
        if items.contains(&13) {
            return Err(Failure::RolledBack(Error::invalid("item", "unlucky")));
        }
        let passing = items.contains(&502) && !self.passed.swap(true, Ordering::SeqCst);
        if passing || items.contains(&503) {
            let down = Error::unavailable(Reason::Unreachable, "down");
            return Err(Failure::RolledBack(down));
        }
        self.batches.lock().push(items.to_vec());
        self.rows.lock().extend(items);
        if items.contains(&99) {
            return Err(Failure::Unknown(Error::bug("connection lost")));
        }
        Ok(items.to_vec())
    }

    async fn outcomes(&self, items: &[u32]) -> Result<Vec<Option<u32>>> {
        let rows = self.rows.lock();
        Ok(items.iter().map(|item| rows.get(item).copied()).collect())
    }
}

fn memory(permits: usize) -> (GroupCommit<Memory>, Batches, Arc<Semaphore>) {
    let batches = Arc::new(Mutex::new(Vec::new()));
    let gate = Arc::new(Semaphore::new(permits));
    let memory = Memory {
        batches: batches.clone(),
        rows: Mutex::default(),
        passed: AtomicBool::default(),
        gate: gate.clone(),
    };
    (GroupCommit::start(memory), batches, gate)
}

async fn submit_all(queue: &GroupCommit<Memory>, items: &[u32]) -> Vec<Result<u32>> {
    futures::future::join_all(items.iter().map(|item| queue.submit(*item))).await
}

#[tokio::test]
async fn what_arrives_during_a_commit_goes_in_the_next() {
    let (queue, batches, gate) = memory(0);
    let first = tokio::spawn({
        let queue = queue.clone();
        async move { queue.submit(1).await }
    });
    // The first commit is under way once the queue is empty again.
    while queue.queue.capacity() < QUEUE || gate.available_permits() > 0 {
        tokio::task::yield_now().await;
    }
    tokio::task::yield_now().await;
    let rest = tokio::spawn(async move { submit_all(&queue, &[2, 3, 4]).await });
    tokio::task::yield_now().await;
    gate.add_permits(10);
    assert_eq!(first.await.unwrap().unwrap(), 1);
    assert!(rest.await.unwrap().into_iter().all(|answer| answer.is_ok()));
    assert_eq!(*batches.lock(), [vec![1], vec![2, 3, 4]]);
}

#[tokio::test]
async fn one_bad_item_fails_alone() {
    let (queue, _, _) = memory(100);
    let answers = submit_all(&queue, &[1, 13, 2]).await;
    assert_eq!(answers[0].as_ref().unwrap(), &1);
    assert_eq!(answers[1].as_ref().unwrap_err().message(), "unlucky");
    assert_eq!(answers[2].as_ref().unwrap(), &2);
}

#[tokio::test]
async fn an_unknown_outcome_is_looked_up() {
    let (queue, _, _) = memory(100);
    let answers = submit_all(&queue, &[98, 99]).await;
    assert!(answers.into_iter().all(|answer| answer.is_ok()));
}

#[tokio::test(start_paused = true)]
async fn what_was_in_the_way_for_a_moment_is_not_noticed() {
    let (queue, batches, _) = memory(100);
    let answers = submit_all(&queue, &[1, 502]).await;
    assert!(answers.into_iter().all(|answer| answer.is_ok()));
    assert_eq!(*batches.lock(), [vec![1, 502]]);
}

#[tokio::test(start_paused = true)]
async fn an_outage_fails_all_at_once_and_not_each_on_its_own() {
    let (queue, _, gate) = memory(100);
    for answer in submit_all(&queue, &[1, 503, 2]).await {
        assert_eq!(answer.unwrap_err().reason(), Reason::Unreachable);
    }
    let tries = 100 - gate.available_permits();
    assert_eq!(
        tries,
        1 + PAUSES.len(),
        "the batch, and again after each pause"
    );
}

#[tokio::test]
async fn a_full_queue_refuses_with_a_hint() {
    let (queue, _, gate) = memory(0);
    let mut waiting: Vec<_> = Vec::new();
    let refused = loop {
        assert!(waiting.len() <= QUEUE + BATCH, "the queue is not bounded");
        let mut submit = Box::pin({
            let queue = queue.clone();
            async move { queue.submit(1).await }
        });
        match futures::poll!(&mut submit) {
            std::task::Poll::Pending => waiting.push(submit),
            std::task::Poll::Ready(answer) => break answer.unwrap_err(),
        }
    };
    assert_eq!(refused.reason(), Reason::Overloaded);
    assert!(refused.retry_delay().is_some());
    gate.add_permits(1000);
}

#[tokio::test]
async fn a_caller_that_goes_away_cancels_nothing() {
    let (queue, batches, gate) = memory(0);
    let mut submit = Box::pin({
        let queue = queue.clone();
        async move { queue.submit(7).await }
    });
    assert!(futures::poll!(&mut submit).is_pending());
    drop(submit);
    gate.add_permits(10);
    queue.submit(8).await.unwrap();
    assert_eq!(batches.lock().concat(), [7, 8]);
}
