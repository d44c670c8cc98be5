//! Hints that something changed, sent to every process of a platform, and the caches they empty.
//!
//! A signal is not an event: it may be lost. Losing one costs a cache its entries, never a fact.
//!
//! * [`signals`]: sending and subscribing, in one process or over a bus
//! * [`kinds`]: what can change, a type for each kind of signal
//! * [`cache`]: bounded caches that empty themselves by the signals they subscribe to
//! * [`coverage`]: whether every signal of other processes is received
//! * [`broker`]: how a process connects to the bus
//! * [`signature`]: who speaks on the bus: what is not signed is dropped
//! * [`retention`]: how long the bus keeps events, a setting that all processes share
//! * `bus`, `presence`: how signals travel between processes, and how a lost one is noticed
//! * `subscribers`: who is called in this process
//! * `metrics`: what this crate counts of itself

pub mod broker;
mod bus;
pub mod cache;
pub mod coverage;
pub mod kinds;
mod metrics;
mod presence;
pub mod retention;
pub mod signals;
pub mod signature;
mod subscribers;

pub use broker::BusSettings;
pub use cache::Cache;
pub use coverage::Coverage;
pub use kinds::{
    ChannelChanged, KeyChanged, MessagesStored, SessionChanged, Signal, SigningKeysChanged,
};
pub use retention::Retention;
pub use signals::Signals;
pub use signature::BrokerKeys;
pub use subscribers::Subscription;
