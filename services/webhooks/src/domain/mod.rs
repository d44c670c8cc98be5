//! Rules that need no I/O.

pub mod address;
pub mod api_key;
pub mod body;
pub mod encryption;
pub mod event_kind;
pub mod incoming;
pub mod outgoing;
pub mod payload;
pub mod public_net;
pub mod retry;
pub mod sample;
pub mod signature;
pub mod subscription;
pub mod workflow;

pub use address::{Address, NoAddress};
pub use api_key::ApiKey;
pub use encryption::{AesKey, EncryptionChange, Mode};
pub use event_kind::{EventKind, EventKinds};

/// The longest name of a webhook or workflow, in characters.
pub const MAX_NAME: usize = 100;
