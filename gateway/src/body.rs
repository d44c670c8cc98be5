//! Size and media type of a request's body, checked before its content.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use axum::body::Body;
use bytes::Bytes;
use guildhall_auth::bodies::{RequestBodies, Sender};
use guildhall_runtime::{Error, Reason, Result, body::too_large};
use http::{
    HeaderMap, HeaderValue, Method, Request, Response, StatusCode,
    header::{CONTENT_ENCODING, CONTENT_TYPE},
};
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use tower::{BoxError, ServiceExt, service_fn};
use tower_http::decompression::{DecompressionBody, RequestDecompression};

/// The largest JSON body, in bytes.
pub const LIMIT: usize = 1024 * 1024;
/// The largest JSON body of a route that needs no credential, in bytes.
const PUBLIC_LIMIT: usize = 128 * 1024;
/// How much of a refused body is read all the same, in bytes.
const MAX_DRAINED: usize = 8 * 1024 * 1024;
/// For how long.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);

/// A body whose rest is read behind the answer when nobody wants it: a client that is still sending
/// when its connection is closed would see a broken pipe instead of why it was refused.
pub struct Drained {
    body: Body,
    ended: bool,
}

impl Drained {
    /// The same body, whose rest is read when it is dropped.
    pub fn wrap(body: Body) -> Body {
        if body.is_end_stream() {
            return body;
        }
        Body::new(Self { body, ended: false })
    }
}

impl HttpBody for Drained {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(context);
        self.ended |= matches!(frame, Poll::Ready(None | Some(Err(_))));
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.ended || self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Drained {
    fn drop(&mut self) {
        if self.is_end_stream() {
            return;
        }
        let body = std::mem::take(&mut self.body);
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let rest = discard(Limited::new(body, MAX_DRAINED));
            runtime.spawn(tokio::time::timeout(DRAIN_TIMEOUT, rest));
        }
    }
}

async fn discard(mut body: Limited<Body>) {
    while let Some(Ok(_)) = body.frame().await {}
}

/// Reads the JSON body of `sender`.
///
/// # Errors
/// BODY_TOO_LARGE above 1 MiB (128 KiB without a credential), compressed or not, UNSUPPORTED_MEDIA_TYPE
/// for what is not announced as JSON (a plain text counts as JSON, and so does a body without type) and
/// for unknown compression, MALFORMED_BODY when it never ends or does not unpack, OVERLOADED while too
/// many others are being read.
pub async fn read(
    method: &Method,
    headers: &HeaderMap,
    body: Body,
    sender: Sender,
    bodies: &RequestBodies,
) -> Result<Bytes> {
    let limit = match sender {
        Sender::Service | Sender::Known(..) => LIMIT,
        Sender::Public(_) => PUBLIC_LIMIT,
    };
    if body.size_hint().lower() > limit as u64 {
        return Err(too_large(limit));
    }
    let optional = *method == Method::DELETE && body.is_end_stream();
    if !optional && !is_json(headers) {
        let message = "Send the body as application/json";
        return Err(Error::new(Reason::UnsupportedMediaType, message));
    }
    let body = bodies.read(body, limit, sender).await?;
    unpacked(headers, body, limit).await
}

/// A body as it was before it was compressed. It has arrived whole, so no half-sent one holds the
/// memory of a decoder.
async fn unpacked(headers: &HeaderMap, body: Bytes, limit: usize) -> Result<Bytes> {
    let encoding = headers.get(CONTENT_ENCODING).map(HeaderValue::as_bytes);
    let encoding = encoding.unwrap_or_default().trim_ascii();
    let encoding = match encoding.to_ascii_lowercase().as_slice() {
        b"" | b"identity" => return Ok(body),
        b"x-gzip" => HeaderValue::from_static("gzip"),
        other => HeaderValue::from_bytes(other).map_err(Error::internal)?,
    };
    if body.is_empty() {
        return Ok(body);
    }
    let mut packed = Request::new(Full::new(body));
    packed.headers_mut().insert(CONTENT_ENCODING, encoding);
    let unpack = RequestDecompression::new(service_fn(|packed: Request<_>| async move {
        let body: DecompressionBody<Full<Bytes>> = packed.into_body();
        let body = Limited::new(body, limit).collect().await?;
        Ok::<_, BoxError>(Response::new(Full::new(body.to_bytes())))
    }));
    let unpacked = match unpack.oneshot(packed).await {
        Ok(answer) if answer.status() == StatusCode::UNSUPPORTED_MEDIA_TYPE => {
            let message = "Content-Encoding must be one of gzip, deflate, br, zstd";
            return Err(Error::new(Reason::UnsupportedMediaType, message));
        }
        Ok(answer) => answer.into_body().collect().await,
        Err(error) => Err(error),
    };
    match unpacked {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(too_large(limit)),
        Err(_) => {
            let message = "The body is not compressed as Content-Encoding says";
            Err(Error::new(Reason::MalformedBody, message))
        }
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(CONTENT_TYPE) else {
        return true;
    };
    let Ok(text) = value.to_str() else {
        return false;
    };
    let essence = text.split(';').next().unwrap_or_default().trim();
    let essence = essence.to_ascii_lowercase();
    // A curl of the public documentation sends its JSON as plain text.
    matches!(essence.as_str(), "" | "application/json" | "text/plain")
        || (essence.contains('/') && essence.ends_with("+json"))
}

#[cfg(test)]
mod tests {
    use guildhall_auth::CredentialDigest;
    use guildhall_types::CommunityId;

    use super::*;

    const PUBLIC: Sender = Sender::Public(None);

    fn known() -> Sender {
        Sender::Known(CommunityId::generate(), CredentialDigest([0; 32]))
    }

    async fn reason(content_type: &str, body: Vec<u8>) -> Option<Reason> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_str(content_type).unwrap());
        let read = read(
            &Method::POST,
            &headers,
            Body::from(body),
            known(),
            &RequestBodies::default(),
        )
        .await;
        read.err().map(|error| error.reason())
    }

    #[tokio::test]
    async fn json_in_its_spellings_is_taken_and_nothing_else() {
        for taken in [
            "application/json",
            "Application/JSON; charset=utf-8",
            "application/merge-patch+json",
            "text/plain",
            "",
        ] {
            assert_eq!(reason(taken, b"{}".to_vec()).await, None, "{taken}");
        }
        for refused in ["application/x-www-form-urlencoded", "text/html", "+json"] {
            let reason = reason(refused, b"{}".to_vec()).await;
            assert_eq!(reason, Some(Reason::UnsupportedMediaType), "{refused}");
        }
    }

    #[tokio::test]
    async fn the_size_is_checked_before_the_type() {
        assert_eq!(
            reason("application/json", vec![b' '; LIMIT]).await,
            None,
            "exactly the limit"
        );
        assert_eq!(
            reason("text/html", vec![b' '; LIMIT + 1]).await,
            Some(Reason::BodyTooLarge)
        );
    }

    #[tokio::test]
    async fn a_body_that_lies_about_its_size_is_cut_off() {
        let body = Body::from_stream(futures::stream::repeat_with(|| {
            Ok::<_, std::io::Error>(Bytes::from_static(&[b' '; 4096]))
        }));
        let error = read(
            &Method::POST,
            &HeaderMap::new(),
            body,
            PUBLIC,
            &RequestBodies::default(),
        )
        .await
        .unwrap_err();
        assert_eq!(error.reason(), Reason::BodyTooLarge);
    }

    #[tokio::test]
    async fn a_delete_may_come_without_body_and_then_without_a_fitting_type() {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html"));
        let bodies = RequestBodies::default();
        let read = read(&Method::DELETE, &headers, Body::empty(), PUBLIC, &bodies);
        assert!(read.await.is_ok());
    }

    #[tokio::test]
    async fn a_body_that_nobody_wants_is_read_to_its_end() {
        let (read_to_the_end, told) = tokio::sync::oneshot::channel();
        let chunks =
            futures::stream::unfold((3, Some(read_to_the_end)), |(left, mut end)| async move {
                if left == 0 {
                    end.take()?.send(()).ok()?;
                    return None;
                }
                let chunk = Ok::<_, std::io::Error>(Bytes::from_static(b"unwanted"));
                Some((chunk, (left - 1, end)))
            });
        drop(Drained::wrap(Body::from_stream(chunks)));
        told.await.unwrap();
    }
}
