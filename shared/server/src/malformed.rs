//! Requests that cannot be read are the caller's mistake.

use guildhall_runtime::{
    Error, Reason,
    around::{Answer, Around, RpcService},
    body::too_large,
};
use http::{HeaderMap, Request};
use tonic::{Code, Status, body::Body};

use crate::rpcs::MAX_MESSAGE;

/// Answers INVALID_ARGUMENT to what tonic calls INTERNAL: bytes that are no message, no message at all,
/// and compressed bytes that do not unpack, or to too much.
#[derive(Debug, Clone, Copy, Default)]
pub struct MalformedLayer;

impl Around for MalformedLayer {
    fn call<S: RpcService>(&self, service: &mut S, request: Request<Body>) -> Answer<S::Error> {
        let answered = service.call(request);
        Box::pin(async move {
            let response = answered.await?;
            Ok(match failure_of_tonic(response.headers()) {
                Some(error) => Status::from(error).into_http(),
                None => response,
            })
        })
    }
}

/// What is wrong with a request that tonic has refused, and not the method: every error of ours has
/// details.
fn failure_of_tonic(headers: &HeaderMap) -> Option<Error> {
    let status = Status::from_header_map(headers)?;
    if !status.details().is_empty() {
        return None;
    }
    let code = status.code();
    if code == Code::Internal {
        let message = "The request is not a message of this method";
        return Some(Error::new(Reason::MalformedBody, message));
    }
    // It is small, and unpacks to more than that.
    let is_large = matches!(code, Code::OutOfRange | Code::ResourceExhausted);
    is_large.then(|| too_large(MAX_MESSAGE))
}
