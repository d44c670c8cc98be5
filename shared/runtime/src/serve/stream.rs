//! Answers that go out piece by piece, as their client takes them.
//!
//! hyper asks a body for its next piece when the last one has gone. What it has not asked for waits
//! here, where it can be dropped; hyper itself would keep a whole answer for as long as the
//! connection lasts.

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::rt::Executor;
use tokio::task::futures::TaskLocalFuture;

use super::progress::{Stall, Waiting};

/// The largest piece, in bytes: a frame of HTTP/2.
const PIECE: usize = 16 * 1024;

tokio::task_local! {
    /// What the client takes of the answer that this task sends.
    static TAKEN: Arc<Taken>;
}

/// What the client takes of an answer: an odd number while a piece waits for it, another number
/// with each piece.
#[derive(Default)]
struct Taken(AtomicU64);

impl Taken {
    fn offer(&self) {
        self.0.fetch_or(1, Ordering::Relaxed);
    }

    fn ask(&self) {
        let taken = self.0.load(Ordering::Relaxed);
        self.0.store(taken + taken % 2, Ordering::Relaxed);
    }

    /// The number of the piece that waits, if one does.
    fn waiting(&self) -> Option<u64> {
        Some(self.0.load(Ordering::Relaxed)).filter(|taken| taken % 2 == 1)
    }
}

/// A body in pieces.
pub(super) struct Pieces<B> {
    body: B,
    rest: Bytes,
    waiting: Waiting,
    /// Of HTTP/2 alone: HTTP/1 has the socket for itself.
    taken: Option<Arc<Taken>>,
}

impl<B> Pieces<B> {
    /// The body of the answer that the current task sends.
    pub fn new(body: B) -> Self {
        Self {
            body,
            rest: Bytes::new(),
            waiting: Waiting::default(),
            taken: TAKEN.try_with(Arc::clone).ok(),
        }
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for Pieces<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        if let Some(taken) = &self.taken {
            taken.ask();
        }
        if self.rest.is_empty() {
            match ready!(Pin::new(&mut self.body).poll_frame(cx)?) {
                None => return Poll::Ready(None),
                Some(frame) => match frame.into_data() {
                    Ok(data) => self.rest = data,
                    Err(other) => return Poll::Ready(Some(Ok(other))),
                },
            }
        }
        let length = self.rest.len().min(PIECE);
        let piece = self.rest.split_to(length);
        let left = self.rest.len();
        self.waiting.set(left);
        if let Some(taken) = &self.taken {
            taken.offer();
        }
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (rest, body) = (self.rest.len() as u64, self.body.size_hint());
        let mut both = SizeHint::new();
        both.set_lower(body.lower() + rest);
        if let Some(upper) = body.upper() {
            both.set_upper(upper + rest);
        }
        both
    }
}

/// Runs the streams of one HTTP/2 connection.
#[derive(Clone)]
pub(super) struct Streams(Arc<Open>);

struct Open {
    streams: AtomicUsize,
    /// Milliseconds from `began` until the last stream ended.
    ended: AtomicU64,
    began: Instant,
    patience: Duration,
}

impl Streams {
    /// Streams end when their client takes nothing of them for `patience`.
    pub fn new(patience: Duration) -> Self {
        Self(Arc::new(Open {
            streams: AtomicUsize::new(0),
            ended: AtomicU64::new(0),
            began: Instant::now(),
            patience,
        }))
    }

    /// Resolves once there has been no stream for as long as `limit`.
    pub async fn idle(&self, limit: Duration) {
        loop {
            let ended = Duration::from_millis(self.0.ended.load(Ordering::Relaxed));
            let idle = match self.0.streams.load(Ordering::Relaxed) {
                0 => self.0.began.elapsed().saturating_sub(ended),
                _ => Duration::ZERO,
            };
            match limit.checked_sub(idle) {
                None | Some(Duration::ZERO) => return,
                Some(left) => tokio::time::sleep(left).await,
            }
        }
    }
}

impl<F> Executor<F> for Streams
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, stream: F) {
        self.0.streams.fetch_add(1, Ordering::Relaxed);
        let taken = Arc::new(Taken::default());
        tokio::spawn(Stream {
            stream: Box::pin(TAKEN.scope(Arc::clone(&taken), stream)),
            taken,
            stall: None,
            open: Arc::clone(&self.0),
        });
    }
}

/// One stream, which ends early when its client takes nothing of it.
struct Stream<F> {
    stream: Pin<Box<TaskLocalFuture<Arc<Taken>, F>>>,
    taken: Arc<Taken>,
    /// Since when which piece waits.
    stall: Option<(u64, Stall)>,
    open: Arc<Open>,
}

impl<F: Future<Output = ()>> Future for Stream<F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.stream.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        let Some(piece) = self.taken.waiting() else {
            self.stall = None;
            return Poll::Pending;
        };
        if matches!(&self.stall, Some((since, _)) if *since != piece) {
            self.stall = None;
        }
        let patience = self.open.patience;
        let begin = || (piece, Stall::begin(patience));
        let (_, stall) = self.stall.get_or_insert_with(begin);
        // hyper resets a stream whose task ends without having sent all of it.
        stall.poll_too_long(cx)
    }
}

impl<F> Drop for Stream<F> {
    fn drop(&mut self) {
        let ended = u64::try_from(self.open.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.open.ended.fetch_max(ended, Ordering::Relaxed);
        self.open.streams.fetch_sub(1, Ordering::Relaxed);
    }
}
