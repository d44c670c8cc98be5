//! What becomes of items that arrive together.

use std::{
    collections::HashSet,
    sync::atomic::{AtomicBool, Ordering},
};

use futures::{future::join_all, poll};
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
    is_broken: bool,
}

#[async_trait]
impl Batch for Memory {
    type Item = u32;
    type Answer = u32;
    const NAME: &'static str = "numbers";

    async fn prepare(&self) -> Result<()> {
        if self.is_broken {
            return Err(Error::bug("no database"));
        }
        Ok(())
    }

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

async fn memory(permits: usize) -> (GroupCommit<Memory>, Batches, Arc<Semaphore>) {
    let batches = Arc::new(Mutex::new(Vec::new()));
    let gate = Arc::new(Semaphore::new(permits));
    let memory = Memory {
        batches: batches.clone(),
        rows: Mutex::default(),
        passed: AtomicBool::default(),
        gate: gate.clone(),
        is_broken: false,
    };
    let queue = GroupCommit::start(memory).await.unwrap();
    (queue, batches, gate)
}

/// Submits items while the commit of 0 is under way, so that they go in one batch: their answers,
/// all batches, and how often that one was tried.
async fn commit_together(items: &[u32]) -> (Vec<Result<u32>>, Vec<Vec<u32>>, usize) {
    let (queue, batches, gate) = memory(0).await;
    let mut first = Box::pin(queue.submit(0));
    assert!(poll!(&mut first).is_pending());
    while queue.queue.capacity() < QUEUE {
        tokio::task::yield_now().await;
    }
    let mut rest = Box::pin(join_all(items.iter().map(|item| queue.submit(*item))));
    assert!(poll!(&mut rest).is_pending());
    gate.add_permits(100);
    assert_eq!(first.await.unwrap(), 0);
    let answers = rest.await;
    let batches = batches.lock().clone();
    (answers, batches, 99 - gate.available_permits())
}

#[tokio::test]
async fn what_arrives_during_a_commit_goes_in_the_next() {
    let (answers, batches, _) = commit_together(&[2, 3, 4]).await;
    assert!(answers.into_iter().all(|answer| answer.is_ok()));
    assert_eq!(batches, [vec![0], vec![2, 3, 4]]);
}

#[tokio::test]
async fn one_bad_item_fails_alone() {
    let (answers, batches, _) = commit_together(&[1, 13, 2]).await;
    assert_eq!(answers[0].as_ref().unwrap(), &1);
    assert_eq!(answers[1].as_ref().unwrap_err().message(), "unlucky");
    assert_eq!(answers[2].as_ref().unwrap(), &2);
    assert_eq!(batches, [[0], [1], [2]]);
}

#[tokio::test]
async fn an_unknown_outcome_is_looked_up() {
    let (answers, ..) = commit_together(&[98, 99]).await;
    assert!(answers.into_iter().all(|answer| answer.is_ok()));
}

#[tokio::test]
async fn what_was_in_the_way_for_a_moment_is_not_noticed() {
    let (answers, batches, _) = commit_together(&[1, 502]).await;
    assert!(answers.into_iter().all(|answer| answer.is_ok()));
    assert_eq!(batches, [vec![0], vec![1, 502]]);
}

#[tokio::test]
async fn an_outage_fails_all_at_once_and_not_each_on_its_own() {
    let (answers, _, tries) = commit_together(&[1, 503, 2]).await;
    for answer in answers {
        assert_eq!(answer.unwrap_err().reason(), Reason::Unreachable);
    }
    let expected = 1 + PAUSES.len();
    assert_eq!(tries, expected, "the batch, and again after each pause");
}

#[tokio::test]
async fn a_start_says_what_is_missing() {
    let memory = Memory {
        passed: AtomicBool::default(),
        batches: Batches::default(),
        rows: Mutex::default(),
        gate: Arc::new(Semaphore::new(0)),
        is_broken: true,
    };
    let refused = GroupCommit::start(memory).await.unwrap_err();
    assert!(refused.with_causes().contains("no database"));
}

#[tokio::test]
async fn a_full_queue_refuses_with_a_hint() {
    let (queue, _, gate) = memory(0).await;
    let mut waiting: Vec<_> = Vec::new();
    let refused = loop {
        assert!(waiting.len() <= QUEUE + BATCH, "the queue is not bounded");
        let mut submit = Box::pin({
            let queue = queue.clone();
            async move { queue.submit(1).await }
        });
        match poll!(&mut submit) {
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
    let (queue, batches, gate) = memory(0).await;
    let mut submit = Box::pin({
        let queue = queue.clone();
        async move { queue.submit(7).await }
    });
    assert!(poll!(&mut submit).is_pending());
    drop(submit);
    gate.add_permits(10);
    queue.submit(8).await.unwrap();
    assert_eq!(batches.lock().concat(), [7, 8]);
}
