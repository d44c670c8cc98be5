//! Who was not let in.

use std::sync::LazyLock;

use guildhall_runtime::{
    Error,
    metrics::{self, Counter, Counters},
};

static REFUSALS: LazyLock<Counters> = LazyLock::new(|| {
    metrics::counters(
        "guildhall_auth_failures",
        "Requests that were not let in, by the reason in the answer",
    )
});
static LIMITED: LazyLock<Counter> = LazyLock::new(|| {
    metrics::counter(
        "guildhall_rate_limit_refusals",
        "Requests over the limit of their credential",
    )
});

/// Figures that are there from the start.
pub(crate) fn prepare() {
    LazyLock::force(&LIMITED);
}

/// A caller was not let in. Not on a hot path: who comes in costs nothing.
pub(crate) fn count_refusal(error: &Error) {
    let reason = error.reason().as_str().to_ascii_lowercase();
    REFUSALS.get_or_create(&vec![("reason", reason)]).inc();
}

/// A credential has made too many requests.
pub(crate) fn count_limited() {
    LIMITED.inc();
}
