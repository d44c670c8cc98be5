//! A lingering close: after we have closed a connection we go on reading until the other side has
//! closed it, too.
//!
//! Otherwise the system answers bytes that arrive late with a reset, and a reset may discard what we
//! sent last before the other side has read it: the GOAWAY with the requests that were not
//! processed, or an answer.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, ReadBuf},
    time::{Sleep, sleep},
};

/// How long we wait for the other side to close its end after we have closed ours.
const LINGER: Duration = Duration::from_secs(1);
/// And how many bytes are read until then: a client that goes on sending is not waited for.
const MAX_LATE: usize = 256 * 1024;

/// The time between our close and that of the other side.
pub(super) struct Linger {
    over: Pin<Box<Sleep>>,
    late: usize,
}

impl Linger {
    /// It begins now.
    pub fn begin() -> Self {
        Self {
            over: Box::pin(sleep(LINGER)),
            late: 0,
        }
    }

    /// Ready when the other side has closed, or is not waited for any longer.
    pub fn poll_over<S: AsyncRead + Unpin>(
        &mut self,
        cx: &mut Context<'_>,
        stream: &mut S,
    ) -> Poll<()> {
        if self.over.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        let mut late = [0; 4 * 1024];
        while self.late < MAX_LATE {
            let mut late = ReadBuf::new(&mut late);
            let read = ready!(Pin::new(&mut *stream).poll_read(cx, &mut late));
            if read.is_err() || late.filled().is_empty() {
                return Poll::Ready(());
            }
            self.late += late.filled().len();
        }
        Poll::Ready(())
    }
}
