//! Bodies of requests, read with limits for each and for all of them together.

use std::{
    fmt,
    hash::{BuildHasher, Hash, RandomState},
    time::Duration,
};

use bytes::{Buf, Bytes, BytesMut};
use http_body::Body;
use http_body_util::BodyExt;
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::timeout,
};

use crate::{Error, Reason, Result};

/// How long a client may take to send its body.
pub const READ_TIMEOUT: Duration = Duration::from_secs(30);
/// When to try again, if there was no memory for a body.
const RETRY: Duration = Duration::from_secs(2);
/// A body takes its memory in these steps, as its bytes arrive: up to so many bytes in all. Each step
/// has memory of its own and is taken at once, so bodies never wait for each other in a circle, and
/// large ones keep out no small ones.
const STEPS: [usize; 3] = [4 * 1024, 64 * 1024, usize::MAX];
/// The number of shares that senders are spread over by their hash.
const SHARES: usize = 512;

/// How much memory the bodies that are being read may take in each step, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BodyLimits {
    /// All of them.
    pub total: usize,
    /// Those of one group of senders.
    pub group: usize,
    /// Those of one sender.
    pub sender: usize,
}

/// The memory for bodies that are being read, of which each sender has a share: half-sent bodies of
/// many clients must not add up, and those of one client must not keep out the others.
///
/// All of it is returned once a body is complete.
pub struct BodyBudget {
    pools: [Pool; STEPS.len()],
    hasher: RandomState,
}

impl fmt::Debug for BodyBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BodyBudget").finish_non_exhaustive()
    }
}

impl BodyBudget {
    /// A budget within these limits.
    #[must_use]
    pub fn new(limits: BodyLimits) -> Self {
        Self {
            pools: STEPS.map(|_step| Pool::new(limits)),
            hasher: RandomState::new(),
        }
    }

    /// Reads the body of a request of `sender`, who is one of `group`, up to `limit` bytes.
    ///
    /// # Errors
    /// BODY_TOO_LARGE above the limit, MALFORMED_BODY when it does not arrive completely within
    /// 30 seconds, OVERLOADED when there is no memory for it within that time.
    pub async fn read<B: Body>(
        &self,
        body: B,
        limit: usize,
        group: impl Hash,
        sender: impl Hash,
    ) -> Result<Bytes> {
        if body.size_hint().lower() > limit as u64 {
            return Err(too_large(limit));
        }
        if body.is_end_stream() {
            return Ok(Bytes::new());
        }
        let expected = body.size_hint().exact();
        let expected = expected.and_then(|size| usize::try_from(size).ok());
        let hash = |value: u64| usize::try_from(value % SHARES as u64).unwrap_or(0);
        let mut charge = Charge {
            budget: self,
            group: hash(self.hasher.hash_one(group)),
            sender: hash(self.hasher.hash_one(sender)),
            expected: expected.unwrap_or(limit),
            taken: Vec::with_capacity(1),
            room: 0,
            is_waiting: false,
        };
        let reading = timeout(READ_TIMEOUT, charged(body, limit, &mut charge)).await;
        reading.unwrap_or_else(|_elapsed| Err(charge.too_late()))
    }
}

/// Memory with a share for each group and each sender.
struct Pool {
    total: Semaphore,
    groups: Box<[Semaphore]>,
    senders: Box<[Semaphore]>,
}

impl Pool {
    fn new(limits: BodyLimits) -> Self {
        let shares = |bytes| (0..SHARES).map(|_| Semaphore::new(bytes)).collect();
        Self {
            total: Semaphore::new(limits.total),
            groups: shares(limits.group),
            senders: shares(limits.sender),
        }
    }

    /// Waits for `bytes`. Who has used up their share waits without holding anything of the others'.
    async fn take(&self, group: usize, sender: usize, bytes: usize) -> Result<Taken<'_>> {
        let bytes = u32::try_from(bytes).map_err(Error::internal)?;
        Ok([
            acquire(&self.senders[sender], bytes).await?,
            acquire(&self.groups[group], bytes).await?,
            acquire(&self.total, bytes).await?,
        ])
    }
}

async fn acquire(share: &Semaphore, bytes: u32) -> Result<SemaphorePermit<'_>> {
    // Never closed.
    share.acquire_many(bytes).await.map_err(Error::internal)
}

/// What is held of a pool, until dropped.
type Taken<'a> = [SemaphorePermit<'a>; 3];

/// What one body holds of a budget.
struct Charge<'a> {
    budget: &'a BodyBudget,
    group: usize,
    sender: usize,
    /// How large it becomes at most.
    expected: usize,
    /// Of each step that it has come to.
    taken: Vec<Taken<'a>>,
    /// The bytes that this is room for.
    room: usize,
    is_waiting: bool,
}

impl Charge<'_> {
    /// Makes room for a body of `size` bytes.
    async fn grow_to(&mut self, size: usize) -> Result<()> {
        self.is_waiting = true;
        let steps = self.budget.pools.iter().zip(STEPS);
        for (pool, step) in steps.skip(self.taken.len()) {
            if size <= self.room {
                break;
            }
            let room = step.min(self.expected);
            let more = room.saturating_sub(self.room);
            self.taken
                .push(pool.take(self.group, self.sender, more).await?);
            self.room = room;
        }
        self.is_waiting = false;
        Ok(())
    }

    /// Why a body was not read in time.
    fn too_late(&self) -> Error {
        if !self.is_waiting {
            return incomplete();
        }
        let message = "Too many bodies are being sent at once, try again";
        Error::unavailable(Reason::Overloaded, message).retry_after(RETRY)
    }
}

async fn charged<B: Body>(body: B, limit: usize, charge: &mut Charge<'_>) -> Result<Bytes> {
    let mut body = std::pin::pin!(body);
    let mut first = Bytes::new();
    let mut all = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(mut data) = frame.map_err(|_| incomplete())?.into_data() else {
            continue;
        };
        let (held, more) = (first.len() + all.len(), data.remaining());
        if held + more > limit {
            return Err(too_large(limit));
        }
        charge.grow_to(held + more).await?;
        // Most bodies come in one piece, which is not copied.
        if held == 0 {
            first = data.copy_to_bytes(more);
            continue;
        }
        all.extend_from_slice(&std::mem::take(&mut first));
        all.extend_from_slice(&data.copy_to_bytes(more));
    }
    Ok(if all.is_empty() { first } else { all.freeze() })
}

fn incomplete() -> Error {
    Error::new(Reason::MalformedBody, "The body did not arrive completely")
}

/// The error for a body above `limit` bytes.
#[must_use]
pub fn too_large(limit: usize) -> Error {
    let kib = limit / 1024;
    let limit = if kib.is_multiple_of(1024) {
        format!("{} MiB", kib / 1024)
    } else {
        format!("{kib} KiB")
    };
    Error::new(
        Reason::BodyTooLarge,
        format!("The body is larger than {limit}"),
    )
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures::{StreamExt, stream};
    use http_body::Frame;
    use http_body_util::{Full, StreamBody};

    use super::*;

    const KIB: usize = 1024;

    /// `pieces` of 1 KiB that arrive, and more that never do.
    fn stalled(pieces: usize) -> impl Body<Data = Bytes, Error = Infallible> {
        let piece = || Ok(Frame::data(Bytes::from(vec![b' '; KIB])));
        StreamBody::new(
            stream::repeat_with(piece)
                .take(pieces)
                .chain(stream::pending()),
        )
    }

    fn whole(size: usize) -> Full<Bytes> {
        Full::new(Bytes::from(vec![b' '; size]))
    }

    fn budget() -> BodyBudget {
        BodyBudget::new(BodyLimits {
            total: 1024 * KIB,
            group: 512 * KIB,
            sender: 256 * KIB,
        })
    }

    /// What nobody holds.
    fn free(budget: &BodyBudget) -> Vec<usize> {
        let pools = budget.pools.iter();
        pools.map(|pool| pool.total.available_permits()).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn half_sent_bodies_keep_out_nobody_but_their_sender() {
        let budget = budget();
        let attack = (0..50).map(|_| budget.read(stalled(50), 128 * KIB, "evil", "attacker"));
        let honest = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            for (group, sender) in [("good", "honest"), ("evil", "neighbour")] {
                let read = budget.read(whole(128 * KIB), 128 * KIB, group, sender);
                let read = timeout(Duration::ZERO, read).await.unwrap();
                assert_eq!(read.unwrap().len(), 128 * KIB);
            }
            let same = budget.read(whole(KIB), KIB, "evil", "attacker").await;
            same.unwrap().len()
        };
        // Who has stalled is done with after 30 seconds, and those that waited for them go on.
        let (attack, honest) = futures::join!(futures::future::join_all(attack), honest);
        assert!(attack.iter().all(Result::is_err));
        assert_eq!(honest, KIB);
        assert_eq!(free(&budget), [1024 * KIB; 3], "all is returned");
    }

    #[tokio::test(start_paused = true)]
    async fn large_bodies_wait_for_each_other_and_keep_out_no_small_ones() {
        let budget = budget();
        // Each takes a second and a half of sending.
        let slow = || {
            let piece = || Ok::<_, Infallible>(Frame::data(Bytes::from(vec![b' '; KIB])));
            StreamBody::new(stream::repeat_with(piece).take(150).then(|piece| async {
                tokio::time::sleep(Duration::from_millis(10)).await;
                piece
            }))
        };
        let large = (0..16).map(|_| budget.read(slow(), 150 * KIB, "one", "sender"));
        let small = async {
            tokio::time::sleep(Duration::from_secs(2)).await;
            let read = budget.read(whole(KIB), KIB, "one", "other");
            timeout(Duration::ZERO, read).await.unwrap().unwrap()
        };
        let (large, _small) = futures::join!(futures::future::join_all(large), small);
        assert!(
            large
                .iter()
                .all(|read| read.as_ref().unwrap().len() == 150 * KIB)
        );
        assert_eq!(free(&budget), [1024 * KIB; 3]);
    }

    #[tokio::test(start_paused = true)]
    async fn who_finds_no_memory_is_told_to_come_back() {
        let budget = budget();
        let piece = |size| Ok::<_, Infallible>(Frame::data(Bytes::from(vec![b' '; size])));
        let late = StreamBody::new(stream::iter([60 * KIB, 40 * KIB]).then(|size| async move {
            tokio::time::sleep(Duration::from_secs(5)).await;
            piece(size)
        }));
        let late = budget.read(late, 200 * KIB, "one", "sender");
        let stalled = async {
            tokio::time::sleep(Duration::from_secs(7)).await;
            budget.read(stalled(100), 200 * KIB, "one", "sender").await
        };
        let (late, stalled) = futures::join!(late, stalled);
        assert_eq!(late.unwrap_err().reason(), Reason::Overloaded);
        assert_eq!(stalled.unwrap_err().reason(), Reason::MalformedBody);
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_is_limited_in_size_and_time() {
        let budget = budget();
        let read = |body, limit| budget.read(body, limit, (), ());
        assert_eq!(read(whole(KIB), KIB).await.unwrap().len(), KIB);
        let error = read(whole(KIB + 1), KIB).await.unwrap_err();
        assert_eq!(error.reason(), Reason::BodyTooLarge);
        let read = |body, limit| budget.read(body, limit, (), ());
        let error = read(stalled(5), 4 * KIB).await.unwrap_err();
        assert_eq!(
            error.reason(),
            Reason::BodyTooLarge,
            "it did not say its size"
        );
        let error = read(stalled(2), 4 * KIB).await.unwrap_err();
        assert_eq!(error.reason(), Reason::MalformedBody, "it never ends");
    }

    #[test]
    fn an_error_says_the_limit() {
        assert!(too_large(1024 * KIB).to_string().contains("1 MiB"));
        assert!(too_large(128 * KIB).to_string().contains("128 KiB"));
    }
}
