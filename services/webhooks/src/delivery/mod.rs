//! From queued deliveries to receivers.
//!
//! * `dispatcher`: finds the webhooks for which something is due, and runs an endpoint for each
//! * `endpoint`: claims what is due for one webhook and attempts it, a few at a time
//! * `health`: how many that are; `slots`: how many there are in all
//! * `receiver`: where deliveries of a webhook go, and with which secrets
//! * `request`: headers and body of an attempt; `test_event`: an attempt outside of order and retries
//! * `sender`: one attempt; `connector`: the connection for it; `address`: where none may go
//! * `disable`: what happens to webhooks whose receivers are gone; `email`: what admins are written
//! * `park`: what the operator is told of webhooks to which nothing can be sent

mod address;
mod connector;
mod disable;
mod dispatcher;
mod email;
mod endpoint;
mod health;
mod park;
mod receiver;
pub mod request;
mod sender;
mod slots;
mod test_event;

use std::time::Duration;

pub use address::Reach;
pub use dispatcher::Dispatcher;
pub use email::Emails;
pub use sender::Attempt;

use crate::domain::retry::RetrySchedule;

/// How long things take in deliveries.
#[derive(Debug, Clone)]
pub struct Timing {
    /// When a delivery is attempted again.
    pub retries: RetrySchedule,
    /// What an attempt takes at most.
    pub attempt: Duration,
    /// For how long deliveries are claimed: after a crash they wait as long.
    pub lease: Duration,
    /// How often the database is asked for what is due.
    pub poll: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            retries: RetrySchedule::default(),
            attempt: Duration::from_secs(10),
            lease: Duration::from_secs(60),
            poll: Duration::from_secs(1),
        }
    }
}
