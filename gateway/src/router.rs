//! The router of all endpoints; each lets in whom it declares.

use std::sync::Arc;

use axum::{Router, middleware::from_fn_with_state};

use crate::{
    admission::{self, Admission, Checks},
    endpoint::Bound,
    metrics, prefix,
    upstream::Services,
};

/// The router of `endpoints`, whose requests are checked with `checks`.
pub fn router(endpoints: Vec<Bound>, checks: &Checks) -> Router<Services> {
    let mut router = Router::new();
    for endpoint in endpoints {
        let declaration = Arc::new(endpoint.declaration);
        for (path, handler) in endpoint.routes {
            let admission = Admission {
                checks: checks.clone(),
                declaration: Arc::clone(&declaration),
                meter: metrics::of_route(&endpoint.row.method, &prefix::documented(&path)),
            };
            let guarded = from_fn_with_state(admission, admission::admit);
            router = router.route(&path, handler.route_layer(guarded));
        }
    }
    router
}
