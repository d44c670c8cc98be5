//! What is written in one moment leaves together.
//!
//! An HTTP/2 connection is polled after each of its streams, and would send a packet for each. A
//! system call, and the other side's waking up for it, cost more than the frames.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes that are held at most; what is more waits for the socket.
const MAX_HELD: usize = 64 * 1024;

/// With that many bytes nobody is waited for: they fill packets by themselves.
const ENOUGH: usize = 16 * 1024;

/// A stream whose writes wait until the tasks that are ready by now have had their turn: they may
/// have something to write, too. Nothing waits for a timer.
pub(crate) struct Gathering<S> {
    stream: S,
    held: Vec<u8>,
    /// How many of the held bytes the stream has taken.
    written: usize,
    /// The others have had their turn since the first held byte.
    yielded: bool,
    enabled: bool,
}

impl<S> Gathering<S> {
    /// Gathers, or leaves everything to the stream: where each answer has a connection of its own
    /// there is nothing to gather.
    pub fn new(stream: S, enabled: bool) -> Self {
        Self {
            stream,
            held: Vec::new(),
            written: 0,
            yielded: false,
            enabled,
        }
    }

    /// Holds as much of it as there is room for.
    fn hold(&mut self, bytes: &[u8]) -> usize {
        let room = MAX_HELD.saturating_sub(self.held.len());
        let taken = &bytes[..bytes.len().min(room)];
        self.held.extend_from_slice(taken);
        taken.len()
    }
}

impl<S: AsyncWrite + Unpin> Gathering<S> {
    /// Hands all that is held to the stream.
    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.written < self.held.len() {
            let left = &self.held[self.written..];
            match ready!(Pin::new(&mut self.stream).poll_write(cx, left))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => self.written += written,
            }
        }
        self.held.clear();
        // An idle connection does not keep the room of its largest answer.
        self.held.shrink_to(ENOUGH);
        self.written = 0;
        self.yielded = false;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Gathering<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Gathering<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if !self.enabled {
            return Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        }
        if self.held.len() >= MAX_HELD {
            ready!(self.poll_drain(cx))?;
        }
        Poll::Ready(Ok(bufs.iter().map(|bytes| self.hold(bytes)).sum()))
    }

    fn is_write_vectored(&self) -> bool {
        // All of it is copied: `h2` does so, too, and then takes up more frames before it flushes.
        !self.enabled && self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.yielded && (1..ENOUGH).contains(&self.held.len()) {
            self.yielded = true;
            // Who wakes himself is polled after all who are ready.
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        ready!(self.poll_drain(cx))?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_drain(cx))?;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use futures::poll;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn what_is_written_before_the_others_had_their_turn_leaves_with_them() {
        let (mut ours, mut theirs) = tokio::io::duplex(1024);
        let mut gathering = Gathering::new(&mut ours, true);
        gathering.write_all(b"one").await.unwrap();
        {
            let mut flush = pin!(gathering.flush());
            assert!(poll!(flush.as_mut()).is_pending());
            assert!(poll!(pin!(theirs.read_u8())).is_pending());
            assert!(poll!(flush).is_ready(), "it waits for more than a turn");
        }
        let mut read = [0; 16];
        assert_eq!(theirs.read(&mut read).await.unwrap(), 3);

        gathering.write_all(b"two").await.unwrap();
        gathering.write_all(b"three").await.unwrap();
        gathering.flush().await.unwrap();
        let length = theirs.read(&mut read).await.unwrap();
        assert_eq!(&read[..length], b"twothree");
    }

    #[tokio::test]
    async fn what_is_held_is_bounded_and_nothing_of_it_is_lost() {
        let sent: Vec<u8> = (0..MAX_HELD * 5).map(|at| at.to_le_bytes()[0]).collect();
        let (ours, mut theirs) = tokio::io::duplex(1000);
        let mut gathering = Gathering::new(ours, true);
        let expected = sent.clone();
        let written = tokio::spawn(async move {
            for part in sent.chunks(10_000) {
                gathering.write_all(part).await.unwrap();
                assert!(gathering.held.len() <= MAX_HELD);
            }
            gathering.flush().await.unwrap();
            assert!(gathering.held.capacity() <= ENOUGH, "it keeps its room");
            gathering.shutdown().await.unwrap();
        });
        let mut read = Vec::new();
        theirs.read_to_end(&mut read).await.unwrap();
        written.await.unwrap();
        assert!(read == expected);
    }
}
