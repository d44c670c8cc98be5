//! What the gateway counts of itself.

use std::sync::{Arc, LazyLock};

use axum::response::Response;
use guildhall_runtime::metrics::{Codes, Labels, Meter, Meters};
use http::{Method, StatusCode};

static HTTP: LazyLock<Meters> = LazyLock::new(|| {
    Meters::new(
        "guildhall_http",
        "requests of REST",
        Codes {
            label: "status",
            name: |status| status.to_string(),
            // As other servers write it: the client went away.
            abandoned: 499,
            panicked: StatusCode::INTERNAL_SERVER_ERROR.as_u16(),
        },
    )
});

static UNROUTED: LazyLock<Arc<Meter>> = LazyLock::new(|| HTTP.meter(labels("other", "none")));

/// What is measured of a route; `path` is its template.
pub fn of_route(method: &Method, path: &str) -> Arc<Meter> {
    HTTP.meter(labels(method.as_str(), path))
}

/// Counts the answer to a request that no route takes: its path and method may be anything.
pub fn count_unrouted(answer: Response) -> Response {
    UNROUTED.begin().answered(answer.status().as_u16());
    answer
}

fn labels(method: &str, route: &str) -> Labels {
    vec![("method", method.to_owned()), ("route", route.to_owned())]
}
