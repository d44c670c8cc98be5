//! A stream ends with the credential that opened it.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use guildhall_runtime::ErrorKind;
use http_body::{Body as HttpBody, Frame};
use tonic::{Status, body::Body};
use tracing::{Instrument, Span};

use crate::{AccessRule, Credential, Guard};

/// How often the credential is looked at again; its look-up is cached.
const RECHECK: Duration = Duration::from_secs(1);

/// Ends `stream` with UNAUTHENTICATED or PERMISSION_DENIED within a second after its credential was
/// revoked, expired or lost its right.
pub(crate) fn guarded(
    stream: Body,
    guard: Guard,
    credential: Credential,
    rule: Arc<AccessRule>,
) -> Body {
    // The body is polled outside the span of its call.
    let refused = refused(guard, credential, rule).instrument(Span::current());
    let refused = Box::pin(refused);
    Body::new(Guarded {
        stream,
        refused: Some(refused),
    })
}

async fn refused(guard: Guard, credential: Credential, rule: Arc<AccessRule>) -> Status {
    loop {
        tokio::time::sleep(RECHECK).await;
        match guard.admit(Some(&credential), &rule).await {
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::Unauthenticated | ErrorKind::MissingPermission
                ) =>
            {
                return error.into();
            }
            // Identity may be away for a while; a stream outlives that.
            Ok(_) | Err(_) => {}
        }
    }
}

struct Guarded {
    stream: Body,
    /// Gone once the stream has ended.
    refused: Option<Pin<Box<dyn Future<Output = Status> + Send>>>,
}

impl HttpBody for Guarded {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let Some(refused) = &mut self.refused else {
            return Poll::Ready(None);
        };
        if let Poll::Ready(status) = refused.as_mut().poll(cx) {
            self.refused = None;
            let mut trailers = http::HeaderMap::new();
            let written = status.add_header(&mut trailers);
            return Poll::Ready(Some(written.map(|()| Frame::trailers(trailers))));
        }
        Pin::new(&mut self.stream).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.refused.is_none() || self.stream.is_end_stream()
    }
}
