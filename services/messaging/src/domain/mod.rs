//! Rules without I/O.

pub mod access;
pub mod channel;
pub mod content;
pub mod emoji;
mod file_reference;
pub mod new_message;
pub mod text;

pub use channel::{Channel, ChannelKind};
pub use content::{Content, MessageKind};
pub use emoji::Emoji;
pub use new_message::NewMessage;
