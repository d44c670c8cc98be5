//! The endpoints of the public contract, a file per area.

pub mod api_keys;
pub mod authentication;
pub mod channels;
mod message_item;
mod message_list;
pub mod messages;
pub mod operations;
pub mod reactions;
pub mod webhooks;
