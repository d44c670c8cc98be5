//! Letters: queued with their cause, sent over SMTP, retried.
