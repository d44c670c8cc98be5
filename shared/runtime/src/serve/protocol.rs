//! Which protocol a client speaks, told by its first bytes.

use std::{io, ops::Range};

use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};

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
pub(super) async fn detect<S>(stream: &mut S) -> io::Result<Option<(Protocol, FirstBytes)>>
where
    S: AsyncRead + Unpin,
{
    let mut bytes = [0; PREFACE_LEN];
    let mut length = 0;
    let protocol = loop {
        match stream.read(&mut bytes[length..]).await? {
            0 if length == 0 => return Ok(None),
            0 => break Protocol::Http1,
            read => length += read,
        }
        if bytes[..length] != PREFACE[..length] {
            break Protocol::Http1;
        }
        if length == PREFACE_LEN {
            break Protocol::Http2;
        }
    };
    let unread = 0..length;
    Ok(Some((protocol, FirstBytes { bytes, unread })))
}

/// The bytes by which the protocol was told, which are to be read once more.
pub(super) struct FirstBytes {
    bytes: [u8; PREFACE_LEN],
    unread: Range<usize>,
}

impl FirstBytes {
    /// Reads some of them; false when all were read.
    pub fn read(&mut self, buf: &mut ReadBuf<'_>) -> bool {
        let unread = &self.bytes[self.unread.clone()];
        let read = unread.len().min(buf.remaining());
        buf.put_slice(&unread[..read]);
        self.unread.start += read;
        read > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn detected(mut sent: &[u8]) -> Option<(Protocol, Vec<u8>)> {
        let (protocol, mut first) = detect(&mut sent).await.unwrap()?;
        let mut read = Vec::new();
        let mut part = [0; 5];
        let mut part = ReadBuf::new(&mut part);
        while first.read(&mut part) {
            read.extend_from_slice(part.filled());
            part.clear();
        }
        Some((protocol, [&read, sent].concat()))
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
