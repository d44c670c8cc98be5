//! What can be done, a file per use case or group of them: what it checks, and what it writes in
//! one transaction.

mod callers;
mod deliveries;
mod incoming;
mod names;
pub mod operator;
mod outgoing;
mod prepare;
mod receive;
mod test_webhook;
mod workflows;

use guildhall_data::page::Limits;

pub use callers::CallerLimits;
pub use receive::CallLimits;

/// What every list allows. What is passed over is read all the same, so there is a bound.
const LIMITS: Limits = Limits {
    default_size: 20,
    max_size: 100,
    max_skip: 10_000,
};
