//! Rules that need no I/O.

pub mod address;
pub mod api_key;
pub mod encryption;
pub mod incoming;
pub mod text;
pub mod workflow;

pub use address::{Address, NoAddress};
pub use api_key::ApiKey;
pub use encryption::{AesKey, Mode};
