//! Which protocol a client speaks, told by its first bytes.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};

/// What every HTTP/2 connection begins with (RFC 9113, section 3.4).
const PREFACE: &[u8; PREFACE_LEN] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// How long that is.
pub(super) const PREFACE_LEN: usize = 24;

/// What a client speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    /// One request at a time.
    Http1,
    /// Many requests at a time.
    Http2,
}

/// Reads as much as it takes to tell the protocols apart: HTTP/2 once its whole preface is there,
/// HTTP/1 as soon as something else is. `None` for a client that closes without a byte.
///
/// # Errors
/// What reading comes to.
pub(super) async fn detect<S>(mut stream: S) -> io::Result<Option<(Protocol, Rewound<S>)>>
where
    S: AsyncRead + Unpin,
{
    let mut first = [0; PREFACE_LEN];
    let mut length = 0;
    let protocol = loop {
        match stream.read(&mut first[length..]).await? {
            0 if length == 0 => return Ok(None),
            0 => break Protocol::Http1,
            read => length += read,
        }
        if first[..length] != PREFACE[..length] {
            break Protocol::Http1;
        }
        if length == PREFACE_LEN {
            break Protocol::Http2;
        }
    };
    let stream = Rewound {
        first,
        unread: 0..length,
        stream,
    };
    Ok(Some((protocol, stream)))
}

/// A stream that is read from its first byte again.
pub(super) struct Rewound<S> {
    first: [u8; PREFACE_LEN],
    unread: std::ops::Range<usize>,
    stream: S,
}

impl<S: AsyncRead + Unpin> AsyncRead for Rewound<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.unread.is_empty() {
            return Pin::new(&mut self.stream).poll_read(cx, buf);
        }
        let unread = &self.first[self.unread.clone()];
        let read = unread.len().min(buf.remaining());
        buf.put_slice(&unread[..read]);
        self.unread.start += read;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Rewound<S> {
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
        Pin::new(&mut self.stream).poll_shutdown(cx)
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

#[cfg(test)]
mod tests {
    use super::*;

    async fn detected(sent: &[u8]) -> Option<(Protocol, Vec<u8>)> {
        let (protocol, mut stream) = detect(sent).await.unwrap()?;
        let mut read = Vec::new();
        stream.read_to_end(&mut read).await.unwrap();
        Some((protocol, read))
    }

    #[tokio::test]
    async fn the_protocol_is_known_and_no_byte_is_lost() {
        let http2 = [PREFACE.as_slice(), b"frames"].concat();
        let both = [
            (http2.as_slice(), Protocol::Http2),
            (b"POST / HTTP/1.1\r\n\r\n", Protocol::Http1),
            (b"PRI * HTTP/1.1\r\n\r\n", Protocol::Http1),
            (b"P", Protocol::Http1),
        ];
        for (sent, protocol) in both {
            assert_eq!(detected(sent).await, Some((protocol, sent.to_vec())));
        }
        assert_eq!(detected(b"").await, None);
    }
}
