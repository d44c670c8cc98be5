//! A service with its database and its events: the shape that all services share.
//!
//! * [`service`]: what a service is made of; [`context`]: what it is made from
//! * [`forward!`]: gRPC services whose methods are actions
//! * [`events`]: where it gets the events of others from
//! * [`process`]: a service as a process of its own, with its [`flags`]

pub mod context;
pub mod events;
pub mod flags;
mod forward;
pub mod process;
pub mod service;

pub use context::{Context, Environment};
pub use events::EventSource;
pub use flags::DatabaseSettings;
pub use process::run;
pub use service::{Running, Service};
