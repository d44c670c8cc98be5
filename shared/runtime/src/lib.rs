//! How a process of Guildhall starts, serves requests, reports errors and stops.
//!
//! * [`error`]: the one error type, and how it travels over gRPC
//! * [`clock`]: the one clock
//! * [`request_id`]: the id of a request in logs and answers
//! * [`telemetry`]: logs, and [`trace`]: the spans of a request
//! * [`metrics`]: what a process counts of itself
//! * [`around`](mod@around): a layer around every RPC that is only its `call`
//! * [`mod@body`]: bodies of requests, with limits for each and for all of them together
//! * [`deadline`]: the deadline of an RPC, also where no transport enforces it
//! * [`grpc`]: health and reflection
//! * [`key`]: keys that are derived from the platform's secret
//! * [`peer`]: the services that others call, in this process or over the network
//! * `coalesce`: writes of several tasks to one connection are sent together
//! * [`private`]: files that only the platform may read
//! * [`serve`]: listeners, and a graceful shutdown
//! * [`tls`]: certificates from files

pub mod around;
pub mod body;
pub mod clock;
mod coalesce;
pub mod deadline;
pub mod error;
pub mod grpc;
pub mod key;
pub mod metrics;
pub mod peer;
pub mod private;
pub mod request_id;
pub mod serve;
pub mod telemetry;
pub mod tls;
pub mod trace;

pub use clock::Timestamp;
pub use error::{Error, ErrorKind, Reason, Result};
pub use peer::Peer;
pub use request_id::RequestId;
pub use serve::Shutdown;
