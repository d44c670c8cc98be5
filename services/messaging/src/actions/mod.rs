//! A file per use case or closely related group: what it checks, and what it writes in one
//! transaction.
//!
//! [`append`] is the transaction that stores messages; `lookup` and `message_range` find what
//! requests refer to, `mentions` whom messages mention, and `present_messages` what is shown beside
//! them.

pub mod append;
mod create_channel;
mod create_topic;
mod list_channels;
mod list_messages;
mod list_topics;
mod lookup;
mod mentions;
mod message_range;
mod post_webhook_message;
mod present_messages;
mod reactions;
mod send_message;
mod watch_messages;

pub(crate) use watch_messages::MessageStream;
