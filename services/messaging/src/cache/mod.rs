//! Bounded caches of what sending and listing look up again and again.

pub mod channels;
pub mod members;
pub mod positions;

pub use channels::ChannelCache;
pub use members::MemberCache;
pub use positions::PositionCache;
