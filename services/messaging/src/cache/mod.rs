//! Bounded caches of what sending and listing look up again and again. Users are cached by
//! [`guildhall_directory`].

pub mod channels;
pub mod positions;

pub use channels::ChannelCache;
pub use positions::PositionCache;
