//! Facades for clients that were written for other platforms.

pub mod mudbase;
pub mod sendbird;
