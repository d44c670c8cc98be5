//! The deadline of an RPC.
//!
//! tonic's transport enforces `grpc-timeout`, but a call inside the process has no transport:
//! this layer enforces it for both.

use std::time::Duration;

use http::{HeaderMap, Request};
use tonic::{Status, body::Body};

use crate::{
    Error, Reason,
    around::{Answer, Around, RpcService},
};

/// The header of a caller's deadline.
pub(crate) const HEADER: &str = "grpc-timeout";

/// How long an RPC may take at most, also for callers that set no deadline.
pub const MAX: Duration = Duration::from_secs(30);

/// Answers DEADLINE_EXCEEDED when a handler has not answered within the caller's deadline.
/// A stream has to begin by then; it may last longer.
#[derive(Debug, Clone, Copy, Default)]
pub struct DeadlineLayer;

impl Around for DeadlineLayer {
    fn call<S: RpcService>(&self, service: &mut S, request: Request<Body>) -> Answer<S::Error> {
        let limit = timeout_of(request.headers()).unwrap_or(MAX).min(MAX);
        let answer = service.call(request);
        Box::pin(async move {
            match tokio::time::timeout(limit, answer).await {
                Ok(answer) => answer,
                Err(_elapsed) => Ok(Status::from(exceeded()).into_http()),
            }
        })
    }
}

/// The error for a caller whose deadline has passed.
pub(crate) fn exceeded() -> Error {
    Error::unavailable(
        Reason::DeadlineExceeded,
        "The deadline was exceeded, try again",
    )
}

/// Reads `grpc-timeout`: up to eight digits and a unit, `H`, `M`, `S`, `m`, `u` or `n`.
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

    use http::Response;
    use tower::{Layer, ServiceExt, service_fn};

    use super::*;
    use crate::around::around;

    #[tokio::test(start_paused = true)]
    async fn a_slow_handler_is_cut_off_at_the_callers_deadline() {
        let slow = service_fn(|_request: Request<Body>| async {
            tokio::time::sleep(Duration::from_millis(500)).await;
            Ok::<_, Infallible>(Response::new(Body::empty()))
        });
        let ask = |timeout: &'static str| {
            let request = Request::builder().header("grpc-timeout", timeout);
            around(DeadlineLayer)
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
