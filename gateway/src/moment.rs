//! Moments as the contract shows them: ISO-8601 in UTC with milliseconds.

use guildhall_runtime::Timestamp;

/// A moment; empty when a service left it out.
pub fn iso(moment: Option<prost_types::Timestamp>) -> String {
    iso_null(moment).unwrap_or_default()
}

/// A moment that may be absent.
pub fn iso_null(moment: Option<prost_types::Timestamp>) -> Option<String> {
    moment.map(|at| Timestamp::from(at).to_iso())
}
