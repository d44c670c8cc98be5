//! Write coalescing: what several tasks write to a connection at about the same time is sent in one
//! system call.
//!
//! hyper polls an HTTP/2 connection after each of its streams, and would send a packet for each. The
//! system calls, and waking up the other side, would cost more than the frames themselves.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes that are buffered at most; beyond that, writes wait for the socket.
const MAX_BUFFERED: usize = 64 * 1024;

/// A buffer of this many bytes is sent at once: it fills packets by itself.
const ENOUGH: usize = 16 * 1024;

/// A stream whose writes are buffered until all tasks that are ready now have been polled, because
/// they may write, too. It never waits for a timer.
pub(crate) struct Coalescing<S> {
    stream: S,
    buffered: Vec<u8>,
    /// How many of the buffered bytes the stream has taken.
    written: usize,
    /// The other tasks have been polled since the first buffered byte.
    yielded: bool,
    enabled: bool,
}

impl<S> Coalescing<S> {
    /// Without `enabled` everything goes straight to the stream: on a connection with one request
    /// at a time there is nothing to coalesce.
    pub fn new(stream: S, enabled: bool) -> Self {
        Self {
            stream,
            buffered: Vec::new(),
            written: 0,
            yielded: false,
            enabled,
        }
    }

    /// Buffers as much as there is room for; how many bytes that were.
    fn buffer(&mut self, bytes: &[u8]) -> usize {
        let room = MAX_BUFFERED.saturating_sub(self.buffered.len());
        let taken = &bytes[..bytes.len().min(room)];
        self.buffered.extend_from_slice(taken);
        taken.len()
    }
}

impl<S: AsyncWrite + Unpin> Coalescing<S> {
    /// Writes the whole buffer to the stream.
    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.written < self.buffered.len() {
            let left = &self.buffered[self.written..];
            match ready!(Pin::new(&mut self.stream).poll_write(cx, left))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => self.written += written,
            }
        }
        self.buffered.clear();
        // An idle connection must not keep the memory of its largest answer.
        self.buffered.shrink_to(ENOUGH);
        self.written = 0;
        self.yielded = false;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Coalescing<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Coalescing<S> {
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
        if self.buffered.len() >= MAX_BUFFERED {
            ready!(self.poll_drain(cx))?;
        }
        Poll::Ready(Ok(bufs.iter().map(|bytes| self.buffer(bytes)).sum()))
    }

    fn is_write_vectored(&self) -> bool {
        // Everything is copied. `h2` does so as well, and then adds more frames before it flushes.
        !self.enabled && self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.yielded && (1..ENOUGH).contains(&self.buffered.len()) {
            self.yielded = true;
            // A task that wakes itself is polled after all that are ready.
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
    async fn writes_of_ready_tasks_are_sent_together() {
        let (mut ours, mut theirs) = tokio::io::duplex(1024);
        let mut coalescing = Coalescing::new(&mut ours, true);
        coalescing.write_all(b"one").await.unwrap();
        {
            let mut flush = pin!(coalescing.flush());
            assert!(poll!(flush.as_mut()).is_pending());
            assert!(poll!(pin!(theirs.read_u8())).is_pending());
            assert!(poll!(flush).is_ready(), "it waits for more than one poll");
        }
        let mut read = [0; 16];
        assert_eq!(theirs.read(&mut read).await.unwrap(), 3);

        coalescing.write_all(b"two").await.unwrap();
        coalescing.write_all(b"three").await.unwrap();
        coalescing.flush().await.unwrap();
        let length = theirs.read(&mut read).await.unwrap();
        assert_eq!(&read[..length], b"twothree");
    }

    #[tokio::test]
    async fn the_buffer_is_bounded_and_loses_nothing() {
        let sent: Vec<u8> = (0..MAX_BUFFERED * 5)
            .map(|at| at.to_le_bytes()[0])
            .collect();
        let (ours, mut theirs) = tokio::io::duplex(1000);
        let mut coalescing = Coalescing::new(ours, true);
        let expected = sent.clone();
        let written = tokio::spawn(async move {
            for part in sent.chunks(10_000) {
                coalescing.write_all(part).await.unwrap();
                assert!(coalescing.buffered.len() <= MAX_BUFFERED);
            }
            coalescing.flush().await.unwrap();
            assert!(
                coalescing.buffered.capacity() <= ENOUGH,
                "it keeps its memory"
            );
            coalescing.shutdown().await.unwrap();
        });
        let mut read = Vec::new();
        theirs.read_to_end(&mut read).await.unwrap();
        written.await.unwrap();
        assert!(read == expected);
    }
}
