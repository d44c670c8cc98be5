//! What the trace of a request says of it: its route, never its path, which a caller chooses.

use axum::{
    extract::{MatchedPath, Request},
    response::Response,
};
use guildhall_runtime::{RequestId, trace::Hop};
use http::Method;
use opentelemetry::{Context, KeyValue, trace::TraceContextExt};

use crate::prefix;

/// The name of a request that finds no route.
pub const UNROUTED: &str = "HTTP";

/// Names the request by its route, when it is sampled.
pub fn record_route(request: &Request) {
    Context::map_current(|context| {
        let span = context.span();
        let route = request.extensions().get::<MatchedPath>();
        if let (true, Some(route)) = (span.is_recording(), route) {
            let route = prefix::documented(route.as_str());
            span.update_name(format!("{} {route}", request.method()));
            span.set_attribute(KeyValue::new("http.route", route));
        }
    });
}

/// Ends the request's part in the gateway with its answer.
pub fn end(hop: &Hop, method: &Method, id: &RequestId, response: &Response) {
    let status = response.status();
    let attributes = [
        KeyValue::new("http.request.method", name_of(method)),
        KeyValue::new("http.response.status_code", i64::from(status.as_u16())),
    ];
    let failed = status.is_server_error().then(|| status.as_str().to_owned());
    hop.end(id, attributes, failed);
}

/// A method that we know, or `_OTHER`: anybody can make one up.
fn name_of(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        _ => "_OTHER",
    }
}
