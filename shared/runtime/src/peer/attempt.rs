//! One try of a call, and what its failure says about whether it was processed.

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

/// Why a try brought no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// Its connection was ending, and the server took up nothing of it.
    #[error("not sent: {0}")]
    Unsent(#[source] h2::Error),
    /// The server said that it did not take it up.
    #[error("not taken up: {0}")]
    Refused(#[source] h2::Error),
    /// It may have been processed.
    #[error("no answer: {0}")]
    Lost(#[source] h2::Error),
    /// Something on the way, and no service of ours, said that it is unavailable.
    #[error("unavailable on the way: {0}")]
    OnTheWay(OnTheWay),
    /// A try before, whose answer was lost, is still at work.
    #[error("an earlier try is still under way")]
    UnderWay,
}

/// What something on the way answered.
#[derive(Debug)]
pub(super) enum OnTheWay {
    Http(StatusCode),
    Grpc(String),
}

impl fmt::Display for OnTheWay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http(status) => write!(f, "HTTP status {status}"),
            Self::Grpc(message) => f.write_str(message),
        }
    }
}

impl Failure {
    /// Why a request could not even begin. What is wrong with the request itself will be so again,
    /// and counts as a try.
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
        // Streams that the server had taken up go on after a GOAWAY: this one was none of them.
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

/// The failure that an answer is: an UNAVAILABLE without details is not of a service of ours, which
/// always says when to try again.
pub(super) fn failure_in(response: &Response<RecvStream>) -> Option<Failure> {
    if let StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT =
        response.status()
    {
        return Some(Failure::OnTheWay(OnTheWay::Http(response.status())));
    }
    let status = unavailable_without_details(response.headers())?;
    let message = status.message().to_owned();
    Some(Failure::OnTheWay(OnTheWay::Grpc(message)))
}

fn unavailable_without_details(headers: &HeaderMap) -> Option<Status> {
    let status = Status::from_header_map(headers)?;
    (status.code() == Code::Unavailable && status.details().is_empty()).then_some(status)
}

/// Whether an answer says that the same call, by its Idempotency-Key, is under way already.
pub(super) fn is_in_flight(response: &Response<Body>) -> bool {
    Status::from_header_map(response.headers())
        .is_some_and(|status| Error::from(status).reason() == Reason::IdempotencyInFlight)
}

/// What a caller is told whose call found no server.
pub(super) fn unreachable() -> Error {
    Error::unavailable(Reason::Unreachable, "The service is unavailable, try again")
}

/// The body of an answer: the call is on its connection until it ends, and a connection that breaks
/// becomes a status of ours.
pub(super) struct Answer {
    body: RecvStream,
    /// Only the trailers are left.
    read: bool,
    /// Held, not used: dropping it makes room for another call.
    _call: Call,
}

impl Answer {
    /// The body of a call's answer.
    pub fn new(body: RecvStream, call: Call) -> Self {
        Self {
            body,
            read: false,
            _call: call,
        }
    }

    /// As tonic takes it.
    pub fn into_body(self) -> Body {
        Body::new(self)
    }

    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, h2::Error>>> {
        let data = ready!(self.body.poll_data(cx));
        self.read = data.is_none();
        Poll::Ready(data.map(|data| {
            let data = data?;
            // The server may send as much again.
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
