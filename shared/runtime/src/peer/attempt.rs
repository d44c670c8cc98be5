//! One attempt of a call, and whether a failed one may have been processed.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use h2::RecvStream;
use http::{HeaderMap, Response, StatusCode};
use http_body::{Body as HttpBody, Frame};
use tonic::{Code, Status, body::Body};

use super::connection::Call;
use crate::{Error, Reason};

/// Why an attempt got no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// Its connection was closing, and the server has not begun to process it.
    #[error("not sent: {0}")]
    Unsent(#[source] h2::Error),
    /// The server said that it has not begun to process it.
    #[error("not taken up: {0}")]
    Refused(#[source] h2::Error),
    /// It may have been processed.
    #[error("no answer: {0}")]
    Lost(#[source] h2::Error),
    /// A proxy on the way, and not a service of ours, answered that it is unavailable.
    #[error("unavailable on the way: {0}")]
    Intermediary(Intermediary),
    /// An earlier attempt, whose answer was lost, is still being processed.
    #[error("an earlier try is still under way")]
    UnderWay,
}

/// The answer of a proxy on the way.
#[derive(Debug)]
pub(super) enum Intermediary {
    Http(StatusCode),
    Grpc(String),
}

impl fmt::Display for Intermediary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http(status) => write!(f, "HTTP status {status}"),
            Self::Grpc(message) => f.write_str(message),
        }
    }
}

impl Failure {
    /// The failure of a request that could not be sent. If the request itself is wrong, sending it
    /// again is of no use: that counts as an attempt.
    pub fn unsent(error: h2::Error) -> Self {
        if error.is_go_away() || error.is_io() {
            Self::Unsent(error)
        } else {
            Self::Refused(error)
        }
    }
}

impl From<h2::Error> for Failure {
    fn from(error: h2::Error) -> Self {
        // Streams that the server processes go on after a GOAWAY: this is not one of them.
        if is_goaway(&error) {
            Self::Unsent(error)
        } else if is_refused(&error) {
            Self::Refused(error)
        } else {
            Self::Lost(error)
        }
    }
}

fn is_goaway(error: &h2::Error) -> bool {
    error.is_go_away() && error.is_remote()
}

fn is_refused(error: &h2::Error) -> bool {
    error.is_reset() && error.is_remote() && error.reason() == Some(h2::Reason::REFUSED_STREAM)
}

/// The failure that a response stands for. An UNAVAILABLE without details comes from a proxy: our
/// services always add when to retry.
pub(super) fn failure_in(response: &Response<RecvStream>) -> Option<Failure> {
    if let StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT =
        response.status()
    {
        return Some(Failure::Intermediary(Intermediary::Http(response.status())));
    }
    let status = unavailable_without_details(response.headers())?;
    let message = status.message().to_owned();
    Some(Failure::Intermediary(Intermediary::Grpc(message)))
}

fn unavailable_without_details(headers: &HeaderMap) -> Option<Status> {
    let status = Status::from_header_map(headers)?;
    (status.code() == Code::Unavailable && status.details().is_empty()).then_some(status)
}

/// Whether a response says that a call with the same Idempotency-Key is still being processed.
pub(super) fn is_in_flight(response: &Response<Body>) -> bool {
    Status::from_header_map(response.headers())
        .is_some_and(|status| Error::from(status).reason() == Reason::IdempotencyInFlight)
}

/// The error for a call that reached no server.
pub(super) fn unreachable() -> Error {
    Error::unavailable(Reason::Unreachable, "The service is unavailable, try again")
}

/// The body of a response. The call counts as under way until it ends, and a connection that breaks
/// becomes a status with details.
pub(super) struct Answer {
    body: RecvStream,
    /// Only the trailers are left.
    read: bool,
    /// Held until the end: dropping it makes room for another call.
    _call: Call,
}

impl Answer {
    /// The body of the response to a call.
    pub fn new(body: RecvStream, call: Call) -> Self {
        Self {
            body,
            read: false,
            _call: call,
        }
    }

    /// As a body of tonic.
    pub fn into_body(self) -> Body {
        Body::new(self)
    }

    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, h2::Error>>> {
        let data = ready!(self.body.poll_data(cx));
        self.read = data.is_none();
        Poll::Ready(data.map(|data| {
            let data = data?;
            // Gives these bytes back to the flow control window.
            self.body.flow_control().release_capacity(data.len())?;
            Ok(data)
        }))
    }
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if !self.read
            && let Some(data) = ready!(self.poll_data(cx))
        {
            return Poll::Ready(Some(data.map(Frame::data).map_err(broken)));
        }
        let trailers = ready!(self.body.poll_trailers(cx)).map_err(broken);
        Poll::Ready(trailers.transpose().map(|it| it.map(Frame::trailers)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }
}

fn broken(error: h2::Error) -> Status {
    unreachable().caused_by(error).into()
}
