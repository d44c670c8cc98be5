//! E-mails: queued with their cause, sent over SMTP, retried.
//!
//! * [`email`]: what an e-mail is made of; none of it can end a header early
//! * [`mod@queue`]: the table of e-mails, written in the transaction of their cause
//! * [`migration`]: that table, for the list of a service's migrations
//! * [`mailer`]: the task that sends what is due; [`pace`]: when it is due again
//! * [`settings`]: what an operator says about e-mails
//! * [`transport`]: where e-mails go, an SMTP server or a directory
//! * `failure`: why an e-mail was not sent
//! * `metrics`: what all this counts of itself

pub mod email;
mod failure;
pub mod mailer;
mod metrics;
pub mod migration;
pub mod pace;
pub mod queue;
pub mod settings;
pub mod transport;

pub use email::{NewMail, Recipient, Sender, Subject, Text};
pub use mailer::Mailer;
pub use pace::Pace;
pub use queue::queue;
pub use settings::MailSettings;
pub use transport::Transport;
