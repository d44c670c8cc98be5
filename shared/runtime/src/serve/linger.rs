//! A lingering close: the other side can read our last bytes.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Sleep, sleep},
};

/// How long we wait for the other side to close its end after we have closed ours.
const LINGER: Duration = Duration::from_secs(1);
/// And how many bytes are read until then: a client that goes on sending is not waited for.
const MAX_LATE: usize = 256 * 1024;

/// A stream that, after we have closed it, goes on reading until the other side has closed it, too.
///
/// Otherwise the system answers bytes that arrive late with a reset, and a reset may discard what we
/// sent last before the other side has read it: the GOAWAY with the requests that were not
/// processed, or an answer.
pub(super) struct Lingering<S> {
    stream: S,
    closed: Option<Pin<Box<Sleep>>>,
    late: usize,
}

impl<S> Lingering<S> {
    pub fn new(stream: S) -> Self {
        Self {
            stream,
            closed: None,
            late: 0,
        }
    }
}

impl<S: AsyncRead + Unpin> Lingering<S> {
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let closed = self.closed.get_or_insert_with(|| Box::pin(sleep(LINGER)));
        if closed.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        let mut late = [0; 4 * 1024];
        while self.late < MAX_LATE {
            let mut late = ReadBuf::new(&mut late);
            let read = ready!(Pin::new(&mut self.stream).poll_read(cx, &mut late));
            if read.is_err() || late.filled().is_empty() {
                return Poll::Ready(());
            }
            self.late += late.filled().len();
        }
        Poll::Ready(())
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Lingering<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Lingering<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.closed.is_none() {
            ready!(Pin::new(&mut self.stream).poll_shutdown(cx))?;
        }
        self.poll_end(cx).map(Ok)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
