//! Rules that need no I/O.

pub mod address;
pub mod encryption;
pub mod event_kind;
pub mod outgoing;
pub mod payload;
pub mod retry;
pub mod signature;

pub use encryption::{AesKey, Mode};
pub use event_kind::{EventKind, EventKinds};
