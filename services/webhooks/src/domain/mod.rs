//! Rules that need no I/O.

pub mod encryption;

pub use encryption::{AesKey, Mode};
