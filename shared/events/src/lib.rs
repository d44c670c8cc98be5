//! What services tell each other when nobody asked.
//!
//! * [`outbox`]: domain events, written in the transaction of their cause and kept there
//! * [`signals`]: hints that something changed; losing one costs a cache, never a fact

pub mod outbox;
pub mod signals;

pub use signals::{Signal, Signals};
