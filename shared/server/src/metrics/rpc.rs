//! Every RPC is counted by its code, with its time.

use std::{
    collections::HashMap,
    pin::Pin,
    sync::{Arc, LazyLock},
    task::{Context, Poll},
};

use bytes::Bytes;
use guildhall_auth::RpcTable;
use guildhall_runtime::{
    around::{Answer, Around, RpcService},
    metrics::{Codes, Measured, Meter, Meters},
};
use http::{HeaderMap, Request};
use http_body::{Body as HttpBody, Frame, SizeHint};
use tonic::{Code, Status, body::Body};

static RPCS: LazyLock<Meters> = LazyLock::new(|| {
    Meters::new(
        "guildhall_rpc",
        "calls of gRPC",
        Codes {
            label: "code",
            name,
            abandoned: Code::Cancelled as u16,
            panicked: Code::Internal as u16,
        },
    )
});

/// As gRPC writes it: `OK`, `NotFound`.
fn name(code: u16) -> String {
    let code = Code::from_i32(code.into());
    if code == Code::Ok {
        return "OK".to_owned();
    }
    format!("{code:?}")
}

/// The meters of all our methods by path.
static METERS: LazyLock<HashMap<String, Arc<Meter>>> = LazyLock::new(|| {
    // Descriptors that do not decode have failed the start already.
    let table = RpcTable::load();
    let paths = table.iter().flat_map(RpcTable::iter);
    paths
        .map(|(path, _)| (path.to_owned(), meter(path.trim_start_matches('/'))))
        .collect()
});

/// Health, reflection, and unknown methods, whose paths callers choose.
static OTHERS: LazyLock<Arc<Meter>> = LazyLock::new(|| meter("other"));

fn meter(rpc: &str) -> Arc<Meter> {
    RPCS.meter(vec![("rpc", rpc.to_owned())])
}

/// Counts every call.
#[derive(Debug, Clone, Copy, Default)]
pub struct MeterLayer;

impl Around for MeterLayer {
    fn call<S: RpcService>(&self, service: &mut S, request: Request<Body>) -> Answer<S::Error> {
        let meter = METERS.get(request.uri().path()).unwrap_or(&OTHERS);
        let mut measured = meter.begin();
        let answer = service.call(request);
        Box::pin(async move {
            let response = answer.await?;
            // An error is an answer without a body, whose status stands in its head.
            if let Some(code) = code_in(response.headers()) {
                measured.answered(code);
                return Ok(response);
            }
            Ok(response.map(|stream| Body::new(MeteredBody { stream, measured })))
        })
    }
}

fn code_in(headers: &HeaderMap) -> Option<u16> {
    headers.get("grpc-status")?.to_str().ok()?.parse().ok()
}

/// An answer that is not over before its trailers.
struct MeteredBody {
    stream: Body,
    measured: Measured,
}

impl HttpBody for MeteredBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let frame = Pin::new(&mut self.stream).poll_frame(cx);
        if let Poll::Ready(Some(frame)) = &frame {
            let code = match frame {
                Ok(frame) => frame.trailers_ref().and_then(code_in),
                Err(status) => Some(status.code() as u16),
            };
            if let Some(code) = code {
                self.measured.answered(code);
            }
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.stream.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.stream.size_hint()
    }
}
