//! The contract, journeys and faults, tested from outside.
//!
//! * [`community`]: a running platform and what a test says to it
//! * [`operation`]: every authenticated operation of the REST contract as one table
//! * [`served`]: every row that is served, also those that are open to all
//! * [`document`]: what the OpenAPI document says of an operation
//! * [`parameters`]: what their paths and bodies are filled with
//! * [`envelope`]: what a refusal looks like in each family of answers
//! * [`exposition`]: the metrics that a platform shows
//! * [`caller`]: somebody who calls with one [`credential`]
//! * [`key`]: keys of the test's own making
//! * [`row`]: the rows of the contract
//! * [`traffic`]: clients at work while something goes wrong
//! * [`figures`]: what their requests came to
//! * [`bus`]: whether processes receive each other's signals
//! * [`lines`]: what processes have logged
//! * [`memory`]: what the processes of a cluster take
//! * [`differences`]: what a table found wrong
//! * [`webhook`]: incoming webhooks, and calls of them
//! * [`outgoing`]: an outgoing webhook with a delivery
//! * [`writer`]: writers that repeat each message until it is acknowledged
//! * [`fingerprint`]: all that a platform keeps of a community
//! * [`database`]: the databases of its services
//! * [`ledger`]: what messaging has stored, and what must be true of it
//! * [`collector`]: a collector of traces
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a fixture that fails must fail its test, with a backtrace"
)]

pub mod bus;
pub mod caller;
pub mod collector;
pub mod community;
pub mod credential;
pub mod database;
pub mod differences;
pub mod document;
pub mod envelope;
pub mod exposition;
pub mod figures;
pub mod fingerprint;
mod guest;
pub mod key;
pub mod ledger;
pub mod lines;
pub mod memory;
pub mod operation;
pub mod outgoing;
pub mod parameters;
pub mod row;
pub mod served;
pub mod traffic;
pub mod webhook;
pub mod writer;

pub use caller::Caller;
pub use community::Community;
pub use credential::Credential;
pub use differences::Differences;
pub use envelope::{Family, Refusal};
pub use fingerprint::Fingerprint;
pub use key::Keys;
pub use ledger::{Ledger, Outcome};
pub use operation::{OPERATIONS, Operation};
pub use parameters::{Parameters, Records};
pub use writer::{Acknowledged, Writers};
