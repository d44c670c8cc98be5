//! How stored records are shown in answers.

mod incoming;
mod outgoing;

pub use incoming::{incoming, workflow};
pub use outgoing::{delivery, outgoing_webhook};
