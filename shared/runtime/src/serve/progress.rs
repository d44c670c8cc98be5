//! Answers end when their client takes nothing of them.
//!
//! HTTP/1 and HTTP/2 both write to a socket ([`Progress`]). With HTTP/2, a client can also read the
//! socket and give a single stream no room (`stream`).

use std::{
    io,
    pin::Pin,
    sync::atomic::{AtomicUsize, Ordering},
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::time::{Sleep, sleep};

use super::metrics::{Reason, cut_off};

/// How long a client may take nothing.
pub(super) const STALLED: Duration = Duration::from_secs(30);
/// And how long while many answers wait.
const STALLED_UNDER_PRESSURE: Duration = Duration::from_secs(1);
/// From how many waiting bytes on that is so.
const PRESSURE: usize = 64 * 1024 * 1024;
/// What counts as taking something, in bytes: a client that reads single bytes takes nothing.
const PROGRESS: usize = 4 * 1024;

/// The bytes of all answers that their clients have not taken yet.
static WAITING: AtomicUsize = AtomicUsize::new(0);

/// Bytes of an answer that its client has not taken yet, until dropped.
#[derive(Default)]
pub(super) struct Waiting(usize);

impl Waiting {
    /// That there are `bytes` of them now.
    pub fn set(&mut self, bytes: usize) {
        if bytes > self.0 {
            WAITING.fetch_add(bytes - self.0, Ordering::Relaxed);
        } else {
            WAITING.fetch_sub(self.0 - bytes, Ordering::Relaxed);
        }
        self.0 = bytes;
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.set(0);
    }
}

/// The time in which a client takes nothing.
pub(super) struct Stall {
    patience: Duration,
    waited: Duration,
    tick: Pin<Box<Sleep>>,
}

impl Stall {
    /// It begins now, and is too long after `patience`.
    pub fn begin(patience: Duration) -> Self {
        let step = patience.min(STALLED_UNDER_PRESSURE);
        Self {
            patience,
            waited: Duration::ZERO,
            tick: Box::pin(sleep(step)),
        }
    }

    /// Ready when it has lasted too long.
    pub fn poll_too_long(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            ready!(self.tick.as_mut().poll(cx));
            let step = self.patience.min(STALLED_UNDER_PRESSURE);
            self.waited += step;
            if self.waited >= self.patience || WAITING.load(Ordering::Relaxed) > PRESSURE {
                cut_off(Reason::Stalled);
                return Poll::Ready(());
            }
            self.tick.as_mut().set(sleep(step));
        }
    }
}

/// Whether the client of a connection takes what is written to it.
pub(super) struct Progress {
    patience: Duration,
    /// Since when writes wait, and what went out since then.
    stall: Option<(Stall, usize)>,
}

impl Progress {
    /// Writes fail after `patience` without progress.
    pub fn new(patience: Duration) -> Self {
        Self {
            patience,
            stall: None,
        }
    }

    /// What a write of `wanted` bytes came to, or that it has taken too long.
    pub fn check(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
        wanted: usize,
    ) -> Poll<io::Result<usize>> {
        match &written {
            Poll::Ready(Ok(bytes)) if *bytes < wanted => {
                if let Some((_, taken)) = &mut self.stall {
                    *taken += bytes;
                }
            }
            Poll::Ready(Ok(_) | Err(_)) => self.stall = None,
            Poll::Pending => return self.poll_stall(cx).map(Err),
        }
        written
    }

    fn poll_stall(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        if matches!(self.stall, Some((_, PROGRESS..))) {
            self.stall = None;
        }
        let begin = || (Stall::begin(self.patience), 0);
        let (stall, _) = self.stall.get_or_insert_with(begin);
        ready!(stall.poll_too_long(cx));
        let why = "the client takes nothing of its answer";
        Poll::Ready(io::Error::new(io::ErrorKind::TimedOut, why))
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::time::Instant;

    use super::*;

    async fn stalled() -> Duration {
        let (began, mut stall) = (Instant::now(), Stall::begin(STALLED));
        poll_fn(|cx| stall.poll_too_long(cx)).await;
        began.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn while_much_waits_nobody_is_waited_for_long() {
        assert!(stalled().await >= STALLED);
        let mut waiting = Waiting::default();
        waiting.set(PRESSURE + 1);
        assert!(stalled().await < 2 * STALLED_UNDER_PRESSURE);
        drop(waiting);
        assert!(stalled().await >= STALLED);
    }
}
