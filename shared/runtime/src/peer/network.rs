//! A call over the network: with a deadline, and repeated where that is safe.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Request, Response, Version, request::Parts};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tokio::time::{Instant, timeout_at};
use tonic::{Status, body::Body};
use tower::retry::budget::{Budget, TpsBudget};

use super::{
    Remote, Repeatable,
    attempt::{Answer, Failure, failure_in, is_in_flight, unreachable},
    connection::Call,
    metrics::FailureCounters,
    pool::Pool,
};
use crate::{Error, Reason, Result, body::too_large, deadline};

/// The largest request, in bytes: services read no larger ones.
const MAX_REQUEST: usize = 1024 * 1024;

/// Attempts of a call that may reach a server, at most.
const TRIES: usize = 3;

/// The pause while a lost attempt of the same call is still being processed by another replica.
const UNDER_WAY: Duration = Duration::from_millis(300);

/// The retry budget: a tenth of the calls that succeeded within `BUDGET_WINDOW`, and ten a second
/// besides. Retries must not multiply an outage.
const BUDGET_SHARE: f32 = 0.1;
const BUDGET_WINDOW: Duration = Duration::from_secs(10);
const BUDGET_RESERVE: u32 = 10;

/// A service in other processes.
pub(super) struct Network {
    pool: Pool,
    repeatable: Repeatable,
    budget: TpsBudget,
    failure_counters: FailureCounters,
}

/// A call whose body was read, so that it can be sent again.
struct Message {
    head: Parts,
    body: Bytes,
    /// The caller's own deadline; a stream without one may last longer than a unary call.
    ends: Option<Instant>,
}

impl Network {
    /// Starts to connect.
    pub fn new(remote: Remote) -> Result<Self> {
        if remote.addresses.is_empty() {
            return Err(Error::bug("a service needs an address at least"));
        }
        let https = remote.addresses.iter().any(|address| address.is_https());
        let tls = https.then(|| remote.tls.client()).transpose()?;
        Ok(Self {
            pool: Pool::new(&remote.addresses, tls.as_ref()),
            repeatable: remote.repeatable,
            budget: TpsBudget::new(BUDGET_WINDOW, BUDGET_RESERVE, BUDGET_SHARE),
            failure_counters: FailureCounters::new(),
        })
    }

    /// The service's response, or the status of an error.
    pub async fn answer(&self, request: Request<Body>) -> Response<Body> {
        let given = deadline::timeout_of(request.headers());
        let limit = Instant::now() + given.unwrap_or(deadline::MAX).min(deadline::MAX);
        let answer = async {
            let message = Message::read(request, given.map(|_| limit)).await?;
            self.send(&message).await
        };
        let answer = timeout_at(limit, answer).await;
        answer
            .unwrap_or_else(|_elapsed| Err(deadline::exceeded()))
            .unwrap_or_else(|error| Status::from(error).into_http())
    }

    async fn send(&self, message: &Message) -> Result<Response<Body>> {
        let mut tried = None;
        let mut tries = 0;
        let mut lost = false;
        loop {
            let call = self.pool.call(tried).await?;
            tried = Some(call.replica());
            let failure = match attempt(message, call).await {
                // The caller has asked once: this conflict is with our own first attempt.
                Ok(answer) if lost && is_in_flight(&answer) => Failure::UnderWay,
                Ok(answer) => {
                    self.budget.deposit();
                    return Ok(answer);
                }
                Err(failure) => failure,
            };
            tracing::debug!(%failure, method = message.head.uri.path(), "a call failed");
            self.failure_counters.count(&failure);
            // Its connection is gone and nothing reached a server: the next attempt takes another.
            if matches!(failure, Failure::Unsent(_)) {
                continue;
            }
            tries += 1;
            if !self.may_repeat(message, &failure) {
                return Err(in_doubt().caused_by(failure));
            }
            if tries == TRIES || !self.budget.withdraw() {
                return Err(unreachable().caused_by(failure));
            }
            self.failure_counters.retries.inc();
            lost |= matches!(failure, Failure::Lost(_) | Failure::Intermediary(_));
            if matches!(failure, Failure::UnderWay) {
                tokio::time::sleep(UNDER_WAY).await;
            }
        }
    }

    fn may_repeat(&self, message: &Message, failure: &Failure) -> bool {
        match failure {
            Failure::Unsent(_) | Failure::Refused(_) => true,
            Failure::Lost(_) | Failure::Intermediary(_) | Failure::UnderWay => {
                (self.repeatable)(message.head.uri.path(), &message.head.headers)
            }
        }
    }
}

/// The error for a call that may have been processed: repeating it blindly may do it twice.
fn in_doubt() -> Error {
    Error::unavailable(
        Reason::OutcomeUnknown,
        "The service did not answer, and nobody knows whether it was done: with an \
         Idempotency-Key it can be repeated safely",
    )
}

impl Message {
    async fn read(request: Request<Body>, ends: Option<Instant>) -> Result<Self> {
        let (head, body) = request.into_parts();
        let body = Limited::new(body, MAX_REQUEST).collect().await;
        let body = body.map_err(|error| {
            if error.is::<LengthLimitError>() {
                too_large(MAX_REQUEST)
            } else {
                Error::bug(format!("a request could not be encoded: {error}"))
            }
        })?;
        Ok(Self {
            head,
            body: body.to_bytes(),
            ends,
        })
    }

    /// The request as it goes to a replica, with the time that is left.
    fn to(&self, call: &Call) -> Request<()> {
        let mut request = Request::new(());
        *request.method_mut() = self.head.method.clone();
        *request.uri_mut() = call.uri(&self.head.uri);
        *request.version_mut() = Version::HTTP_2;
        request.headers_mut().clone_from(&self.head.headers);
        if let Some(ends) = self.ends {
            let left = ends.saturating_duration_since(Instant::now()).as_millis();
            if let Ok(value) = HeaderValue::from_str(&format!("{left}m")) {
                request.headers_mut().insert(deadline::HEADER, value);
            }
        }
        request
    }
}

async fn attempt(message: &Message, call: Call) -> Result<Response<Body>, Failure> {
    let response = call.send(message.to(&call), message.body.clone()).await?;
    match failure_in(&response) {
        Some(failure) => Err(failure),
        None => Ok(response.map(|body| Answer::new(body, call).into_body())),
    }
}
