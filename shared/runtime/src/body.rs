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
/// How long a body waits for memory. Those that hold some may all wait for more, so that the first
/// to give up lets the others go on.
const WAIT: Duration = Duration::from_secs(2);
/// The number of shares that holders are spread over by their hash.
const SHARES: usize = 4096;

/// The memory for bodies that are being read, of which each holder has a share: half-sent bodies of
/// many clients must not add up, and those of one client must not keep out the others.
///
/// A body is charged as its bytes arrive, and returns all of them once it is complete.
pub struct BodyBudget {
    total: Semaphore,
    shares: Box<[Semaphore]>,
    hasher: RandomState,
}

impl fmt::Debug for BodyBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let free = self.total.available_permits();
        f.debug_struct("BodyBudget")
            .field("free", &free)
            .finish_non_exhaustive()
    }
}

impl BodyBudget {
    /// A budget of `total` bytes, of which one holder can have `share`.
    #[must_use]
    pub fn new(total: usize, share: usize) -> Self {
        Self {
            total: Semaphore::new(total),
            shares: (0..SHARES).map(|_| Semaphore::new(share)).collect(),
            hasher: RandomState::new(),
        }
    }

    /// Reads the body of a request of `holder`, up to `limit` bytes.
    ///
    /// # Errors
    /// BODY_TOO_LARGE above the limit, MALFORMED_BODY when it does not arrive completely within
    /// 30 seconds, OVERLOADED when there is no memory for it.
    pub async fn read<B: Body>(&self, body: B, limit: usize, holder: impl Hash) -> Result<Bytes> {
        if body.size_hint().lower() > limit as u64 {
            return Err(too_large(limit));
        }
        if body.is_end_stream() {
            return Ok(Bytes::new());
        }
        let mut charge = self.charge(holder);
        let reading = timeout(READ_TIMEOUT, charged(body, limit, &mut charge));
        reading.await.unwrap_or_else(|_elapsed| Err(incomplete()))
    }

    fn charge(&self, holder: impl Hash) -> Charge<'_> {
        let hash = self.hasher.hash_one(holder) as usize;
        Charge {
            total: &self.total,
            share: &self.shares[hash % SHARES],
            held: None,
        }
    }
}

/// What one body holds of a budget.
struct Charge<'a> {
    total: &'a Semaphore,
    share: &'a Semaphore,
    held: Option<(SemaphorePermit<'a>, SemaphorePermit<'a>)>,
}

impl Charge<'_> {
    async fn add(&mut self, bytes: usize) -> Result<()> {
        let bytes = u32::try_from(bytes).map_err(Error::internal)?;
        let more = async {
            // In this order: who has used up their share waits without holding anything of the others'.
            let share = self.share.acquire_many(bytes).await;
            (share, self.total.acquire_many(bytes).await)
        };
        let Ok((Ok(share), Ok(total))) = timeout(WAIT, more).await else {
            let message = "Too many bodies are being sent at once, try again";
            let overloaded = Error::unavailable(Reason::Overloaded, message);
            return Err(overloaded.retry_after(WAIT));
        };
        match &mut self.held {
            Some((held_share, held_total)) => {
                held_share.merge(share);
                held_total.merge(total);
            }
            None => self.held = Some((share, total)),
        }
        Ok(())
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
        let length = data.remaining();
        if first.len() + all.len() + length > limit {
            return Err(too_large(limit));
        }
        charge.add(length).await?;
        // Most bodies come in one piece, which is not copied.
        if first.is_empty() && all.is_empty() {
            first = data.copy_to_bytes(length);
            continue;
        }
        all.extend_from_slice(&std::mem::take(&mut first));
        all.extend_from_slice(&data.copy_to_bytes(length));
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

    #[tokio::test(start_paused = true)]
    async fn half_sent_bodies_keep_out_nobody_but_their_sender() {
        let budget = BodyBudget::new(64 * KIB, 16 * KIB);
        let attack = (0..50).map(|_| budget.read(stalled(4), 16 * KIB, "attacker"));
        let honest = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let read = budget.read(whole(16 * KIB), 16 * KIB, "honest").await;
            let same = budget.read(whole(KIB), 16 * KIB, "attacker").await;
            (read.unwrap().len(), same.unwrap_err().reason())
        };
        tokio::select! {
            _ = futures::future::join_all(attack) => panic!("the attack ended"),
            read = honest => assert_eq!(read, (16 * KIB, Reason::Overloaded)),
        }
        assert_eq!(
            budget.total.available_permits(),
            64 * KIB,
            "all is returned"
        );
        budget.read(whole(KIB), KIB, "attacker").await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn bodies_that_wait_for_each_other_do_not_wait_for_ever() {
        let budget = BodyBudget::new(8 * KIB, 8 * KIB);
        let pieces = || {
            let piece = || Ok::<_, Infallible>(Frame::data(Bytes::from(vec![b' '; KIB])));
            StreamBody::new(stream::repeat_with(piece).take(8).then(|piece| async {
                tokio::task::yield_now().await;
                piece
            }))
        };
        let reads = (0..8).map(|holder| budget.read(pieces(), 8 * KIB, holder));
        let read = timeout(WAIT * 5, futures::future::join_all(reads))
            .await
            .unwrap();
        assert!(read.iter().any(Result::is_ok));
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_is_limited_in_size_and_time() {
        let budget = BodyBudget::new(64 * KIB, 64 * KIB);
        let read = |body, limit| budget.read(body, limit, ());
        assert_eq!(read(whole(KIB), KIB).await.unwrap().len(), KIB);
        let error = read(whole(KIB + 1), KIB).await.unwrap_err();
        assert_eq!(error.reason(), Reason::BodyTooLarge);
        let error = budget.read(stalled(5), 4 * KIB, ()).await.unwrap_err();
        assert_eq!(
            error.reason(),
            Reason::BodyTooLarge,
            "it did not say its size"
        );
        let error = budget.read(stalled(2), 4 * KIB, ()).await.unwrap_err();
        assert_eq!(error.reason(), Reason::MalformedBody, "it never ends");
    }

    #[test]
    fn an_error_says_the_limit() {
        assert!(too_large(1024 * KIB).to_string().contains("1 MiB"));
        assert!(too_large(128 * KIB).to_string().contains("128 KiB"));
    }
}
