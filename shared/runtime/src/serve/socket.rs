//! What stands between hyper and a client: first bytes that are read again, control frames that are
//! counted, writes that must make progress, and a close that lingers.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{
    frames::ControlFrames,
    linger::Linger,
    metrics::{Reason, cut_off},
    progress::Progress,
    protocol::{FirstBytes, Protocol},
};

/// The connection to a client.
pub(super) struct Socket<S> {
    stream: S,
    first: FirstBytes,
    /// HTTP/1 has no frames.
    frames: Option<ControlFrames>,
    progress: Progress,
    /// Since our close.
    linger: Option<Linger>,
}

impl<S> Socket<S> {
    /// A connection of which `first` has been read; it ends when its client takes nothing for
    /// `patience`.
    pub fn new(stream: S, first: FirstBytes, protocol: Protocol, patience: Duration) -> Self {
        Self {
            stream,
            first,
            frames: (protocol == Protocol::Http2).then(ControlFrames::new),
            progress: Progress::new(patience),
            linger: None,
        }
    }

    /// What a write of `wanted` bytes came to.
    fn wrote(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
        wanted: usize,
    ) -> Poll<io::Result<usize>> {
        if let (Some(frames), Poll::Ready(Ok(bytes))) = (&mut self.frames, &written) {
            frames.wrote(*bytes);
        }
        self.progress.check(cx, written, wanted)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Socket<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        if !self.first.read(buf) {
            ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        }
        let read = &buf.filled()[before..];
        let frames = self.frames.as_mut();
        if frames.is_none_or(|frames| frames.read(read)) {
            return Poll::Ready(Ok(()));
        }
        cut_off(Reason::ControlFrames);
        let why = "the client sends too many frames that carry nothing";
        Poll::Ready(Err(io::Error::other(why)))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Socket<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.wrote(cx, written, buf.len())
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let wanted = bufs.iter().map(|bytes| bytes.len()).sum();
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.wrote(cx, written, wanted)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        self.wrote(cx, flushed.map_ok(|()| 0), 0).map_ok(|_| ())
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let socket = &mut *self;
        if socket.linger.is_none() {
            let closed = Pin::new(&mut socket.stream).poll_shutdown(cx);
            ready!(socket.wrote(cx, closed.map_ok(|()| 0), 0))?;
        }
        let linger = socket.linger.get_or_insert_with(Linger::begin);
        linger.poll_over(cx, &mut socket.stream).map(Ok)
    }
}
