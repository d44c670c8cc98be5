//! How many streams a holder may have open.

use std::{
    collections::{HashMap, hash_map::Entry},
    hash::Hash,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use guildhall_runtime::{Error, Reason, Result};
use http_body::{Body as HttpBody, Frame};
use parking_lot::Mutex;
use tonic::{Status, body::Body};

/// Open streams, counted by whom they belong to. Cheap to clone.
#[derive(Debug)]
pub(crate) struct StreamLimit<H> {
    most: usize,
    open: Arc<Mutex<HashMap<H, usize>>>,
}

impl<H> Clone for StreamLimit<H> {
    fn clone(&self) -> Self {
        Self {
            most: self.most,
            open: Arc::clone(&self.open),
        }
    }
}

impl<H: Hash + Eq + Clone> StreamLimit<H> {
    /// At most `most` streams of each holder.
    pub fn new(most: usize) -> Self {
        Self {
            most,
            open: Arc::default(),
        }
    }

    /// Counts one more stream until what it returns is dropped.
    ///
    /// # Errors
    /// RATE_LIMITED when there are too many.
    pub fn open(&self, holder: H) -> Result<OpenStream<H>> {
        let mut open = self.open.lock();
        let count = open.entry(holder.clone()).or_default();
        if *count >= self.most {
            let message = format!(
                "There may be {} streams at a time: end one first",
                self.most
            );
            return Err(Error::new(Reason::RateLimited, message));
        }
        *count += 1;
        Ok(OpenStream {
            holder,
            open: Arc::clone(&self.open),
        })
    }
}

/// A stream that is counted.
#[derive(Debug)]
pub(crate) struct OpenStream<H: Hash + Eq + Clone> {
    holder: H,
    open: Arc<Mutex<HashMap<H, usize>>>,
}

impl<H: Hash + Eq + Clone> Drop for OpenStream<H> {
    fn drop(&mut self) {
        if let Entry::Occupied(mut count) = self.open.lock().entry(self.holder.clone()) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
    }
}

impl<H: Hash + Eq + Clone + Send + Unpin + 'static> OpenStream<H> {
    /// The same stream, which is counted until it is dropped.
    pub fn until_end_of(self, stream: Body) -> Body {
        // An answer that is over already, such as an error, must stay one without a body.
        if stream.is_end_stream() {
            return stream;
        }
        Body::new(Counted {
            stream,
            _open: self,
        })
    }
}

struct Counted<H: Hash + Eq + Clone> {
    stream: Body,
    _open: OpenStream<H>,
}

impl<H: Hash + Eq + Clone + Unpin> HttpBody for Counted<H> {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        Pin::new(&mut self.stream).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.stream.is_end_stream()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_holder_has_so_many_streams_and_keeps_no_memory_of_them() {
        let limit = StreamLimit::new(2);
        let streams = [limit.open("a"), limit.open("a"), limit.open("b")];
        assert_eq!(limit.open("a").unwrap_err().reason(), Reason::RateLimited);
        drop(streams);
        assert!(limit.open.lock().is_empty());
        assert!(limit.open("a").is_ok());
    }
}
