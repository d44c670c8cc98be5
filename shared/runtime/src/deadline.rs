//! Every hop ends in time.
//!
//! tonic's transport enforces `grpc-timeout`, but a call inside the process has no transport, so
//! the layer is ours and stands in front of both.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use http::{HeaderMap, Request, Response};
use tonic::{Status, body::Body};
use tower::{Layer, Service};

use crate::{Error, Reason};

/// The header of a caller's deadline.
pub(crate) const HEADER: &str = "grpc-timeout";

/// The longest that any unary call may take, also for callers who set no deadline.
pub const MAX: Duration = Duration::from_secs(30);

/// Answers DEADLINE_EXCEEDED when a handler has not answered within the caller's deadline.
/// Streams are bounded until their first message only.
#[derive(Debug, Clone, Copy, Default)]
pub struct DeadlineLayer;

impl<S> Layer<S> for DeadlineLayer {
    type Service = Deadline<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Deadline { inner }
    }
}

/// See [`DeadlineLayer`].
#[derive(Debug, Clone)]
pub struct Deadline<S> {
    inner: S,
}

impl<S> Service<Request<Body>> for Deadline<S>
where
    S: Service<Request<Body>, Response = Response<Body>>,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let limit = timeout_of(request.headers()).unwrap_or(MAX).min(MAX);
        let answer = self.inner.call(request);
        Box::pin(async move {
            match tokio::time::timeout(limit, answer).await {
                Ok(answer) => answer,
                Err(_elapsed) => Ok(Status::from(exceeded()).into_http()),
            }
        })
    }
}

/// What a caller is told whose time is up.
pub(crate) fn exceeded() -> Error {
    Error::unavailable(
        Reason::DeadlineExceeded,
        "The deadline was exceeded, try again",
    )
}

/// Reads `grpc-timeout`: up to eight digits and a unit.
pub(crate) fn timeout_of(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(HEADER)?.to_str().ok()?;
    let unit_at = text.len().checked_sub(1)?;
    let (digits, unit) = (text.get(..unit_at)?, text.get(unit_at..)?);
    if digits.len() > 8 {
        return None;
    }
    let amount: u64 = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(amount * 3600)),
        "M" => Some(Duration::from_secs(amount * 60)),
        "S" => Some(Duration::from_secs(amount)),
        "m" => Some(Duration::from_millis(amount)),
        "u" => Some(Duration::from_micros(amount)),
        "n" => Some(Duration::from_nanos(amount)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use tower::{ServiceExt, service_fn};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_slow_handler_is_cut_off_at_the_callers_deadline() {
        let slow = service_fn(|_request: Request<Body>| async {
            tokio::time::sleep(Duration::from_millis(500)).await;
            Ok::<_, Infallible>(Response::new(Body::empty()))
        });
        let ask = |timeout: &'static str| {
            let request = Request::builder().header("grpc-timeout", timeout);
            DeadlineLayer
                .layer(slow)
                .oneshot(request.body(Body::empty()).unwrap())
        };
        assert_eq!(ask("50m").await.unwrap().headers()["grpc-status"], "4");
        assert!(
            !ask("1S")
                .await
                .unwrap()
                .headers()
                .contains_key("grpc-status")
        );
    }
}
