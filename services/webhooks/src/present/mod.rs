//! How stored records are shown in answers.

mod delivery;
mod incoming;
mod outgoing;

pub use delivery::{delivery, delivery_in_full, test_event};
pub use incoming::{incoming, workflow};
pub use outgoing::outgoing_webhook;
