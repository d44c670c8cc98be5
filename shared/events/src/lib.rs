//! What services tell each other when nobody asked.
//!
//! * [`outbox`]: domain events, written in the transaction of their cause and kept there
//! * [`backlog`]: how much of the outbox waits, for the operator
//! * [`signals`]: hints that something changed; losing one costs a cache, never a fact
//! * [`broker`]: where the bus is, and whom a process listens to on it
//! * [`coverage`]: whether all of it is heard
//! * [`cache`]: bounded memory of what others keep, which signals make forget
//! * `bus`, `roll_call`, `wire`: how signals travel between processes, and how a lost one is noticed
//! * `metrics`: what all this counts of itself

pub mod backlog;
pub mod broker;
mod bus;
pub mod cache;
pub mod coverage;
mod metrics;
pub mod outbox;
mod roll_call;
pub mod signals;
mod wire;

pub use broker::BusSettings;
pub use cache::Cache;
pub use coverage::Coverage;
pub use signals::{Signal, Signals};
