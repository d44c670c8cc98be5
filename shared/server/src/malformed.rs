//! Requests that cannot be read are the caller's mistake.

use guildhall_runtime::{
    Error, Reason,
    around::{Answer, Around, RpcService},
};
use http::{HeaderMap, Request};
use tonic::{Code, Status, body::Body};

/// Answers INVALID_ARGUMENT to what tonic calls INTERNAL: bytes that are no message, no message at all,
/// and compressed bytes that do not unpack.
#[derive(Debug, Clone, Copy, Default)]
pub struct MalformedLayer;

impl Around for MalformedLayer {
    fn call<S: RpcService>(&self, service: &mut S, request: Request<Body>) -> Answer<S::Error> {
        let answered = service.call(request);
        Box::pin(async move {
            let response = answered.await?;
            if !is_of_tonic(response.headers()) {
                return Ok(response);
            }
            let message = "The request is not a message of this method";
            let error = Error::new(Reason::MalformedBody, message);
            Ok(Status::from(error).into_http())
        })
    }
}

/// Whether tonic has failed, and not the method: every error of ours has details.
fn is_of_tonic(headers: &HeaderMap) -> bool {
    let status = Status::from_header_map(headers);
    status.is_some_and(|status| status.code() == Code::Internal && status.details().is_empty())
}
