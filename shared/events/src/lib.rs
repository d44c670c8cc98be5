//! Domain events: what the rest of the platform is told, in the transaction of its cause.
//!
//! * [`outbox`]: events, written in the transaction of their cause and kept there
//! * `relay`: passes them on, to [`jetstream`] or to a consumer in the process ([`local`])
//! * [`consumer`]: handles them, each once; [`cursor`]: how far every reader has come
//! * [`backlog`]: how much of the outbox waits, for the operator
//! * `backoff`: pauses between attempts
//! * `metrics`: what this crate counts of itself

mod backlog;
mod backoff;
pub mod consumer;
pub mod cursor;
pub mod jetstream;
pub mod local;
mod metrics;
pub mod outbox;
mod relay;

pub use consumer::{Consumer, Handler};
pub use guildhall_signals::{BrokerKeys, BusSettings, Retention};
pub use outbox::Outbox;
