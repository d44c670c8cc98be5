//! What services tell each other when nobody asked.
//!
//! * [`outbox`]: domain events, written in the transaction of their cause and kept there
//! * `relay`: passes them on, to [`jetstream`] or to a consumer in the process ([`local`])
//! * [`consumer`]: handles them, each once; [`cursor`]: how far everybody has come
//! * [`retention`]: how long they stay; [`backlog`]: how much of the outbox waits, for the operator
//! * [`signals`]: hints that something changed; losing one costs a cache, never a fact
//! * [`broker`]: where the bus is, and whom a process listens to on it
//! * [`coverage`]: whether all of it is heard
//! * [`cache`]: bounded memory of what others keep, which signals make forget
//! * `bus`, `roll_call`, `wire`: how signals travel between processes, and how a lost one is noticed
//! * `metrics`: what all this counts of itself

mod backlog;
mod backoff;
pub mod broker;
mod bus;
pub mod cache;
pub mod consumer;
pub mod coverage;
pub mod cursor;
pub mod jetstream;
pub mod local;
mod metrics;
pub mod outbox;
mod relay;
mod retention;
mod roll_call;
pub mod signals;
mod wire;

pub use broker::BusSettings;
pub use cache::Cache;
pub use consumer::{Consumer, Handler};
pub use coverage::Coverage;
pub use outbox::Outbox;
pub use retention::Retention;
pub use signals::{Signal, Signals};
