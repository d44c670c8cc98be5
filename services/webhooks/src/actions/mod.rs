//! What can be done, a file per use case or group of them: what it checks, and what it writes in
//! one transaction.

mod deliveries;
mod incoming;
pub mod operator;
mod outgoing;
mod prepare;
mod receive;
mod workflows;

use guildhall_data::page::Limits;

pub use receive::CallLimits;

/// What every list allows. The contract (identity, "Paging") bounds the number of the page alone.
const LIMITS: Limits = Limits {
    default_size: 20,
    max_size: 100,
    max_skip: u64::MAX,
};
