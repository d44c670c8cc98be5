//! What a mailer counts of itself.

use std::sync::LazyLock;

use guildhall_runtime::metrics::{self, Counter, Counters};

static MAILS: LazyLock<Counters> = LazyLock::new(|| {
    metrics::counters(
        "guildhall_mails",
        "Attempts to send an e-mail: sent, retried later, or given_up",
    )
});

/// How attempts ended.
#[derive(Debug, Clone)]
pub(crate) struct MailMetrics {
    pub sent: Counter,
    pub retried: Counter,
    pub given_up: Counter,
}

impl MailMetrics {
    /// The metrics of this process's mailers.
    pub fn new() -> Self {
        let of = |result: &str| MAILS.get_or_create_owned(&vec![("result", result.to_owned())]);
        Self {
            sent: of("sent"),
            retried: of("retried"),
            given_up: of("given_up"),
        }
    }
}
