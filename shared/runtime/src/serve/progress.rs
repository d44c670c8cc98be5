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

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Sleep, sleep},
};

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

/// A socket whose writes fail when its client has taken nothing for too long.
pub(super) struct Progress<S> {
    stream: S,
    patience: Duration,
    /// Since when writes wait, and what went out since then.
    stall: Option<(Stall, usize)>,
}

impl<S> Progress<S> {
    /// Writes fail after `patience` without progress.
    pub fn new(stream: S, patience: Duration) -> Self {
        Self {
            stream,
            patience,
            stall: None,
        }
    }

    /// What a write of `wanted` bytes came to.
    fn checked(
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

impl<S: AsyncRead + Unpin> AsyncRead for Progress<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Progress<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.checked(cx, written, buf.len())
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        self.checked(cx, flushed.map_ok(|()| 0), 0).map_ok(|_| ())
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.checked(cx, shut.map_ok(|()| 0), 0).map_ok(|_| ())
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let wanted = bufs.iter().map(|bytes| bytes.len()).sum();
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.checked(cx, written, wanted)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
