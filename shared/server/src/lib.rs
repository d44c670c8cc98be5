//! A process of the platform: its flags, its start and stop, and what it serves.
//!
//! A process with a database is a service, and begins with `guildhall_service`.
//!
//! * [`settings`]: the flags that all processes share; [`secret`]: the platform's secret
//! * [`peers`]: the services that a process calls, and the flags that say where they are
//! * [`process`]: what a process is made of, from its start to its last answer
//! * [`rpcs`]: the gRPC services that it serves; [`stack`]: what stands in front of them
//! * [`request_body`]: how much calls may send; [`malformed`]: requests that cannot be read
//! * [`metrics`]: what it shows to its operator

pub mod malformed;
pub mod metrics;
pub mod peers;
pub mod process;
pub mod request_body;
pub mod rpcs;
pub mod secret;
pub mod settings;
pub mod stack;

pub use peers::{Calls, PeerUrls, Peers};
pub use process::{Endpoint, Process, finish};
pub use rpcs::Rpcs;
pub use settings::{ProcessSettings, ServeSettings};
pub use stack::stack;
